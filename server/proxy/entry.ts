// Entering a session host: an OAuth-like flow, so that nobody can be made to work in somebody else's session unknowingly.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PortalError } from '../../contract/errors.ts';
import type { CookieJar } from '../http/cookies.ts';
import { secret, sha256 } from '../lib/ids.ts';
import type { HostedSession, Ports } from './ports.ts';

const stateSeconds = 600;
const entrySeconds = 7 * 86_400;
/** Where a browser without its state begins once more. Coming back from there without it again, it keeps no cookies. */
export const againPath = '/.linkspan/again';

export interface EntryOptions {
  ports: Ports;
  portal: string;
  /** True on http: browsers that refuse `__Host-` there get the plain cookie. */
  plainAllowed: boolean;
  cookies: CookieJar;
  addressOf: (request: IncomingMessage) => string;
}

export class EntryFlow {
  readonly #options: EntryOptions;

  constructor(options: EntryOptions) {
    this.#options = options;
  }

  /** Sends a browser without entry to the portal. */
  begin(request: IncomingMessage, response: ServerResponse, session: HostedSession, to: string): void {
    const { cookies, portal, plainAllowed } = this.#options;
    const kept = cookies.read(request, 'ls-state');
    const state = kept !== undefined && /^[\w-]{43}$/.test(kept) ? kept : secret();
    const query = `session=${session.id}&state=${sha256(state)}&to=${encodeURIComponent(to)}`;
    redirect(response, `${portal}/enter?${query}`, [
      ...cookies.set('ls-state', state, stateSeconds),
      ...(plainAllowed ? cookies.set('ls-state', state, stateSeconds, 'plain') : []),
    ]);
  }

  /** `/.linkspan/enter?code=`: redeems the code, sets the entry cookie, goes to the clean path. Throws PortalError. */
  async finish(
    request: IncomingMessage,
    response: ServerResponse,
    session: HostedSession,
    hasEntry: boolean,
  ): Promise<void> {
    const { ports, cookies, addressOf } = this.#options;
    const code = new URL(request.url ?? '/', 'http://x').searchParams.get('code') ?? '';
    const state = cookies.read(request, 'ls-state');
    const redeemed = await ports.redeem({
      code,
      sessionId: session.id,
      stateHash: state === undefined ? undefined : sha256(state),
    });
    if (!redeemed.ok) {
      if (hasEntry) return redirect(response, cleanPath(redeemed.to));
      if (redeemed.reason !== 'state-mismatch')
        throw new PortalError('entry-code-invalid', { detail: redeemed.reason });
      if (redeemed.to.startsWith(againPath)) throw new PortalError('cookies-blocked');
      return redirect(response, `${againPath}?to=${encodeURIComponent(redeemed.to)}`);
    }
    const address = addressOf(request);
    ports.entered({
      sessionId: session.id,
      address,
      entryId: redeemed.entryId,
      userId: redeemed.userId,
      loginId: redeemed.loginId,
    });
    const form = cookies.keepsPlainOnly(request, 'ls-state') ? 'plain' : 'host';
    redirect(
      response,
      cleanPath(redeemed.to),
      cookies.set('ls', redeemed.secret, entrySeconds, form),
      session.clearStorage ? { 'Clear-Site-Data': '"storage"' } : {},
    );
    if (session.clearStorage) ports.cleared(session.id);
  }
}

/** @returns where the visitor wanted to go; a path of this host */
export function cleanPath(to: string | undefined): string {
  if (to === undefined) return '/';
  if (!to.startsWith(againPath)) return to;
  const inner = new URL(to, 'http://x').searchParams.get('to') ?? '/';
  return /^\/(?![/\\])/.test(inner) && !inner.startsWith('/.linkspan/') ? inner : '/';
}

export function redirect(
  response: ServerResponse,
  location: string,
  cookies: string[] = [],
  headers: Record<string, string> = {},
): void {
  response.writeHead(303, {
    Location: location,
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'no-referrer',
    ...(cookies.length === 0 ? {} : { 'Set-Cookie': cookies }),
    ...headers,
    'Content-Length': 0,
  });
  response.end();
}
