// Headers on their way to the app and back: what a client must not say, what we say instead, what an app must not set.
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Visitor } from './ports.ts';

const hopByHop = new Set([
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'proxy-authenticate',
  'proxy-authorization',
]);
/** What only we may say to an app, and the right to log in elsewhere. */
const ours = /^(?:authorization|forwarded|x-forwarded-.*|x-linkspan-.*|x-scheme|x-real-ip)$/;

export interface Identity {
  visitor: Visitor;
  secret: string;
  address: string;
  scheme: 'http' | 'https';
  host: string;
}

/** Rewrites the headers of a request in place. Host stays: Jupyter compares Origin with it. */
export function prepareHeaders(
  request: IncomingMessage,
  identity: Identity,
  cookieNames: ReadonlySet<string>,
  isUpgrade: boolean,
): void {
  const { headers } = request;
  const named = new Set(
    (headers.connection ?? '')
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  );
  for (const name of Object.keys(headers)) {
    if (hopByHop.has(name) || ours.test(name) || (named.has(name) && name !== 'upgrade')) delete headers[name];
  }
  if (!isUpgrade) delete headers.upgrade;
  headers.connection = isUpgrade ? 'Upgrade' : 'keep-alive';
  const cookies = keepCookies(headers.cookie, cookieNames);
  if (cookies === undefined) delete headers.cookie;
  else headers.cookie = cookies;
  Object.assign(headers, {
    'x-linkspan-secret': identity.secret,
    'x-linkspan-user': identity.visitor.userId,
    'x-linkspan-name': encodeURIComponent(identity.visitor.name),
    'x-linkspan-role': identity.visitor.role,
    'x-forwarded-for': identity.address,
    'x-forwarded-proto': identity.scheme,
    'x-forwarded-host': identity.host,
  });
}

/** Cookies of the app, byte for byte, without ours. */
export function keepCookies(header: string | undefined, ourNames: ReadonlySet<string>): string | undefined {
  if (header === undefined) return undefined;
  const kept = header.split(';').filter((pair) => !ourNames.has((pair.split('=', 1)[0] ?? '').trim()));
  return kept.length === 0 ? undefined : kept.join(';').trim();
}

/** Rewrites the headers of an answer in place. */
export function cleanAnswer(headers: IncomingHttpHeaders, origin: string): void {
  const cookies = headers['set-cookie'];
  if (cookies) {
    const kept = cookies
      .filter((cookie) => !/^\s*(?:__Host-ls|ls(?:-|=))/i.test(cookie))
      .map((cookie) => cookie.replace(/;\s*domain=[^;]*/gi, ''));
    if (kept.length === 0) delete headers['set-cookie'];
    else headers['set-cookie'] = kept;
  }
  if (headers.location !== undefined) headers.location = ownLocation(headers.location, origin);
  headers['content-security-policy'] = withFrameAncestors(headers['content-security-policy']);
  headers['cross-origin-resource-policy'] = 'same-origin';
  for (const name of Object.keys(headers)) if (name.startsWith('x-linkspan-')) delete headers[name];
}

/** An app that knows itself as localhost sends its visitors there; they mean this host. */
function ownLocation(location: string, origin: string): string {
  const match = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\]|app)(?::\d+)?(\/.*)?$/i.exec(location);
  return match ? `${origin}${match[1] ?? '/'}` : location;
}

/** Only pages of this host may frame it; the rest of the app's own policy stays. */
function withFrameAncestors(policy: string | string[] | undefined): string {
  const own = [policy ?? []].flat().join(', ');
  if (own === '') return "frame-ancestors 'self'";
  return /(?:^|[;,\s])frame-ancestors\s/i.test(own) ? own : `${own}; frame-ancestors 'self'`;
}
