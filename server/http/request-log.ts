// One line per request: method, path without query, status, time. Never a query: the entry code travels there.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../lib/log.ts';

/** Logs when the answer has left. `part` says who answered: portal, session, gateway. */
export function logRequest(
  log: Log,
  part: string,
  request: IncomingMessage,
  response: ServerResponse,
  onDone?: (status: number) => void,
): void {
  const since = performance.now();
  const path = pathOf(request);
  response.once('close', () => {
    onDone?.(response.statusCode);
    log.debug(
      {
        part,
        method: request.method,
        host: request.headers.host,
        path,
        status: response.statusCode,
        milliseconds: Math.round(performance.now() - since),
      },
      'request',
    );
  });
}

/** @returns the path without its query */
export const pathOf = (request: IncomingMessage): string => (request.url ?? '/').split('?', 1)[0] ?? '/';
