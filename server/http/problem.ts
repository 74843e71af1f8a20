// The HTTP end of refusals: PortalError -> application/problem+json (RFC 9457). Anything else is a 500 with a number.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorRequestHandler } from 'express';
import { PortalError } from '../../contract/errors.ts';
import { base32Id } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';

/** Errors that only say that the other side has left. */
const quiet = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_HTTP_REQUEST_TIMEOUT',
]);

/** @returns the error as a refusal; unknown errors become `internal`, parser errors of bodies `bad-request` or `body-too-large` */
export function toPortalError(error: unknown): PortalError {
  if (error instanceof PortalError) return error;
  const type = (error as { type?: unknown } | null)?.type;
  if (type === 'entity.too.large') return new PortalError('body-too-large', { cause: error });
  if (type === 'entity.parse.failed')
    return new PortalError('bad-request', { message: 'The body is not JSON.', cause: error });
  const status = (error as { status?: unknown } | null)?.status;
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new PortalError('bad-request', { cause: error });
  return new PortalError('internal', { cause: error });
}

/**
 * Answers with a problem, or destroys the response when its head has already left.
 * Details go to the log only; a 500 carries the number under which the log has them.
 */
export function sendProblem(response: ServerResponse, error: unknown, log?: Log): void {
  const refusal = toPortalError(error);
  const number = refusal.status >= 500 && refusal.code === 'internal' ? base32Id(8) : undefined;
  if (number !== undefined) log?.error({ err: refusal.cause ?? refusal, number }, 'internal error');
  else if (refusal.detail !== undefined) log?.info({ code: refusal.code, detail: refusal.detail }, 'refused');
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = JSON.stringify(refusal.toProblem(number === undefined ? undefined : `urn:linkspan:incident:${number}`));
  response.writeHead(refusal.status, {
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    ...(refusal.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(refusal.retryAfterSeconds) }),
  });
  response.end(body);
}

/** The error end of an Express chain. */
export const errorEnd =
  (log: Log): ErrorRequestHandler =>
  (error: unknown, _request, response, _next) => {
    if (quiet.has((error as NodeJS.ErrnoException | null)?.code ?? '')) {
      response.destroy();
      return;
    }
    sendProblem(response, error, log);
  };

/** @returns whether a person's browser is navigating: it gets a page instead of a problem */
export function isNavigation(request: IncomingMessage): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  const mode = request.headers['sec-fetch-mode'];
  if (mode !== undefined) return mode === 'navigate';
  return (request.headers.accept ?? '').includes('text/html');
}
