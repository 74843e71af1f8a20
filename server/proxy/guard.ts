// The one guard of session hosts, for requests and upgrades: what a page of another origin may not do.
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { PortalError } from '../../contract/errors.ts';
import { isOwnOrigin, isSafeMethod } from '../http/origin.ts';

/**
 * Fetch Metadata and Origin. Throws PortalError when the request must not reach the app.
 * @param ownOrigin origin of this session host
 */
export function guardRequest(request: IncomingMessage, ownOrigin: string, isUpgrade: boolean): void {
  const { headers, method } = request;
  refuseSmuggling(request);
  if (headers['service-worker'] === 'script') throw new PortalError('service-worker-refused');
  const site = headers['sec-fetch-site'];
  const navigation = isTopLevelNavigation(headers, method) && !isUpgrade;
  if ((site === 'cross-site' || site === 'same-site') && !navigation)
    throw new PortalError('cross-site-refused', { detail: { site } });
  const own = isOwnOrigin(request, ownOrigin);
  if (headers.origin !== undefined && !own && !navigation)
    throw new PortalError('cross-site-refused', { detail: { origin: headers.origin } });
  if ((isUpgrade || !isSafeMethod(method)) && !own)
    throw new PortalError('cross-site-refused', { detail: 'no proof of origin' });
}

/** A person follows a link or types an address: GET, the whole tab. */
function isTopLevelNavigation(headers: IncomingHttpHeaders, method: string | undefined): boolean {
  return method === 'GET' && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}

/** Headers without which a request means something else; naming one in Connection asks us to drop it (RFC 9110 7.6.1). */
const lasting = /^(?:content-length|transfer-encoding|host|cookie|origin|referer|expect|sec-.*)$/;

/** Shapes of which two parsers may think differently (RFC 9112 6.1, 6.3), or that lose their framing on the way. */
export function refuseSmuggling(request: IncomingMessage): void {
  const count = (name: string): number =>
    request.rawHeaders.filter((header, index) => index % 2 === 0 && header.toLowerCase() === name).length;
  const coding = request.headers['transfer-encoding'];
  if (count('content-length') > 1 || count('transfer-encoding') > 1)
    throw new PortalError('headers-refused', { detail: 'a length header twice' });
  if (coding !== undefined && request.headers['content-length'] !== undefined)
    throw new PortalError('headers-refused', { detail: 'two kinds of length' });
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked')
    throw new PortalError('headers-refused', { detail: `coding ${coding}` });
  // http-proxy takes the framing of these two away but sends the body.
  if (coding !== undefined && (request.method === 'DELETE' || request.method === 'OPTIONS'))
    throw new PortalError('headers-refused', { detail: `chunked ${request.method}` });
  const dropped = (request.headers.connection ?? '').split(',').find((name) => lasting.test(name.trim().toLowerCase()));
  if (dropped !== undefined) throw new PortalError('headers-refused', { detail: `Connection names ${dropped}` });
}
