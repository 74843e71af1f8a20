// GET /enter: the portal's end of the entry flow. Checks login and right, and sends the browser back with a one-time code.
import type { RequestHandler, Response } from 'express';
import { PortalError } from '../../contract/errors.ts';
import { html, sendPage } from '../http/html.ts';
import { isNavigation } from '../http/problem.ts';
import type { Entries, Role } from './entries.ts';
import { safePath } from './paths.ts';
import type { Authenticate, Who } from './who.ts';

export interface EnterOptions {
  portal: string;
  authenticate: Authenticate;
  entries: Entries;
  /** The session's origin and what this person may do there; undefined = no right, or no such session. */
  right: (sessionId: string, who: Who) => Promise<{ origin: string; role: Role } | undefined>;
}

export function makeEnter({ portal, authenticate, entries, right }: EnterOptions): RequestHandler {
  return async (request, response, next) => {
    const sessionId = text(request.query['session']);
    const stateHash = text(request.query['state']);
    const to = safePath(request.query['to']);
    response.set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' });
    if (!/^[a-z2-7]{16}$/.test(sessionId) || !/^[0-9a-f]{64}$/.test(stateHash))
      return isNavigation(request) ? sendForbidden(response, portal) : next(new PortalError('entry-forbidden'));
    const who = await authenticate(request, { slide: true });
    if (!who) {
      const back = `/enter?session=${sessionId}&state=${stateHash}&to=${encodeURIComponent(to)}`;
      return response.redirect(303, `/auth/login?to=${encodeURIComponent(back)}`);
    }
    const granted = await right(sessionId, who);
    if (!granted)
      return isNavigation(request) ? sendForbidden(response, portal) : next(new PortalError('entry-forbidden'));
    const code = await entries.issueCode({ sessionId, who, stateHash, to, role: granted.role });
    response.redirect(303, `${granted.origin}/.linkspan/enter?code=${code}`);
  };
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The same page for somebody else's session and for none: it tells nothing. */
function sendForbidden(response: Response, home: string): void {
  sendPage(response, {
    status: 403,
    title: 'Not your session',
    home,
    body: html`<h1>This session is not open to you</h1>
      <p role="alert">It belongs to somebody else, or it does not exist. Ask its owner to share it with you.</p>
      <p><a class="button" href="${home}">Go to your sessions</a></p>
      <p class="dim"><small>entry-forbidden</small></p>`,
  });
}
