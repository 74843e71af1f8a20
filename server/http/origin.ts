// Cross-site request forgery: own Origin, or Sec-Fetch-Site same-origin where a browser leaves Origin out or hides it (Fetch Metadata).
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { PortalError } from '../../contract/errors.ts';

export const isSafeMethod = (method: string | undefined): boolean =>
  method === 'GET' || method === 'HEAD' || method === 'OPTIONS';

/** @returns whether the request proves that it comes from a page of `ownOrigin` */
export function isOwnOrigin(request: IncomingMessage, ownOrigin: string): boolean {
  const { origin } = request.headers;
  // `null` comes from a form of a page with Referrer-Policy no-referrer, and from sandboxed frames, which are cross-site.
  if (origin !== undefined && origin !== 'null') return origin === ownOrigin;
  return request.headers['sec-fetch-site'] === 'same-origin';
}

/** Refuses unsafe methods that do not prove their origin. Programs without cookies send Origin themselves. */
export const requireOwnOrigin =
  (ownOrigin: string): RequestHandler =>
  (request, _response, next) => {
    if (isSafeMethod(request.method) || isOwnOrigin(request, ownOrigin)) return next();
    next(new PortalError('origin-refused', { detail: { origin: request.headers.origin ?? null } }));
  };
