// /api: who is asking, and the nouns.
import express, { Router, type Request } from 'express';
import type { LoginView, Me } from '../../contract/api.ts';
import { PortalError } from '../../contract/errors.ts';
import type { Logins } from '../auth/logins.ts';
import type { Authenticate, Who } from '../auth/who.ts';
import type { AuditWrite } from '../audit/write.ts';
import { requireOwnOrigin } from '../http/origin.ts';
import type { Clock } from '../lib/clock.ts';
import type { ProfileBook } from '../profiles/book.ts';
import type { Sessions } from '../sessions/index.ts';
import type { SiteRegistry } from '../sites/registry.ts';
import { eventsApi } from './events.ts';
import { presentProfile, presentSite } from './present.ts';
import { sessionsApi } from './sessions.ts';

export interface ApiOptions {
  authenticate: Authenticate;
  logins: Logins;
  sessions: Sessions;
  profiles: ProfileBook;
  sites: SiteRegistry;
  audit: AuditWrite;
  portal: string;
  originOf: (host: string) => string;
  addressOf: (request: Request) => string;
  sessionsPerUser: number;
  idleSeconds: number;
  clock: Clock;
}

export function makeApi(options: ApiOptions): Router {
  const { authenticate, logins, sessions, profiles, sites, audit, portal, addressOf, clock } = options;
  const known = new WeakMap<Request, Who>();
  const who = (request: Request): Who => {
    const found = known.get(request);
    if (!found) throw new PortalError('not-logged-in');
    return found;
  };
  const router = Router();
  router.use((_request, response, next) => {
    response.set('Cache-Control', 'no-store');
    next();
  });
  router.use(requireOwnOrigin(portal));
  router.use(async (request, _response, next) => {
    // Event streams and reads by a page that lies open slide nothing; what a person does, does.
    const found = await authenticate(request, { slide: request.method !== 'GET' });
    if (!found) throw new PortalError('not-logged-in');
    known.set(request, found);
    next();
  });
  router.use(jsonOnly, express.json({ limit: '64kb', strict: true }));

  router.get('/me', async (request, response) => {
    const { user, isAdmin, login } = who(request);
    const quota = { sessions: options.sessionsPerUser, sessionsUsed: await sessions.store.countLive(user.id) };
    response.json({
      id: user.id,
      name: user.name,
      email: user.email,
      groups: user.groups,
      isAdmin,
      loginId: login.id,
      quota,
    } satisfies Me);
  });

  router.get('/sites', async (_request, response) => {
    response.json({ items: await Promise.all(sites.list().map((entry) => presentSite(entry, sites))), next: null });
  });

  router.get('/profiles', async (request, response) => {
    const items = profiles.visible(who(request).user.groups).flatMap((profile) => {
      const entry = sites.get(profile.site);
      return entry ? [presentProfile(profile, entry, sites)] : [];
    });
    response.json({ items: await Promise.all(items), next: null });
  });

  router.get('/logins', async (request, response) => {
    const { user, login } = who(request);
    const rows = await logins.list(user.id);
    const items = rows.map((row): LoginView => ({
      id: row.id,
      isThis: row.id === login.id,
      createdAt: new Date(row.createdAt).toISOString(),
      seenAt: new Date(row.seenAt).toISOString(),
      endsAt: new Date(Math.min(row.endsAt, row.seenAt + options.idleSeconds * 1000)).toISOString(),
      address: row.address,
      userAgent: row.userAgent,
    }));
    response.json({ items, next: null });
  });

  router.delete('/logins/:id', async (request, response) => {
    const { user } = who(request);
    const loginId = String(request.params['id']);
    await logins.revoke(user.id, loginId);
    await audit({ action: 'login-revoked', userId: user.id, loginId, address: addressOf(request) });
    response.status(204).end();
  });

  router.use('/sessions', sessionsApi({ ...options, who }));
  router.get('/events', eventsApi({ ...options, who, clock, onLoginEnded: (tell) => logins.onEnded(tell) }));
  router.use((_request, _response, next) => next(new PortalError('not-found')));
  return router;
}

/** A form of another site can send text, but not JSON. */
const jsonOnly: express.RequestHandler = (request, _response, next) => {
  const hasBody = request.headers['content-length'] !== undefined && request.headers['content-length'] !== '0';
  if ((hasBody || request.headers['transfer-encoding'] !== undefined) && !request.is('application/json')) {
    return next(new PortalError('bad-request', { message: 'Send the body as application/json.' }));
  }
  next();
};
