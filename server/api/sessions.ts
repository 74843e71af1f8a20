// /api/sessions: list, start, look, stop, forget, delete, log.
import { Router, type Request } from 'express';
import { StartSessionBody } from '../../contract/api.ts';
import { PortalError } from '../../contract/errors.ts';
import type { Who } from '../auth/who.ts';
import type { Sessions } from '../sessions/index.ts';
import { parseBody, parseNumber } from './parse.ts';
import { presentSession, presentTimeline } from './present.ts';

export interface SessionsApiOptions {
  sessions: Sessions;
  originOf: (host: string) => string;
  addressOf: (request: Request) => string;
  who: (request: Request) => Who;
}

export function sessionsApi({ sessions, originOf, addressOf, who }: SessionsApiOptions): Router {
  const router = Router();
  const own = (request: Request) => sessions.ownedBy(who(request).user.id, String(request.params['id']));

  router.get('/', async (request, response) => {
    const limit = parseNumber(request.query['limit'], 'limit', { least: 1, most: 200, fallback: 50 });
    const before = cursorOf(request.query['after']);
    const rows = await sessions.store.listOfUser(who(request).user.id, {
      limit: limit + 1,
      ...(before ? { before } : {}),
    });
    const items = rows.slice(0, limit);
    const last = items.at(-1);
    const next =
      rows.length > limit && last ? Buffer.from(JSON.stringify([last.createdAt, last.id])).toString('base64url') : null;
    response.json({ items: items.map((row) => presentSession(row, originOf)), next });
  });

  router.post('/', async (request, response) => {
    const { user, login } = who(request);
    const body = parseBody(request, StartSessionBody);
    const key = request.get('idempotency-key');
    if (key !== undefined && !/^[\x21-\x7e]{8,128}$/.test(key)) {
      throw new PortalError('bad-request', {
        fields: [{ path: 'Idempotency-Key', message: 'must have 8 to 128 visible characters' }],
      });
    }
    const by = { user, loginId: login.id, acr: login.acr, authTime: login.authTime, address: addressOf(request) };
    const { session, isNew } = await sessions.start(by, body, key);
    response
      .status(isNew ? 201 : 200)
      .location(`/api/sessions/${session.id}`)
      .json(presentSession(session, originOf));
  });

  router.get('/:id', async (request, response) => {
    const session = await own(request);
    const timeline = (await sessions.store.timeline(session.id)).map(presentTimeline);
    response.json({ ...presentSession(session, originOf), timeline });
  });

  router.post('/:id/stop', async (request, response) => {
    const session = await sessions.stop(await own(request), 'owner', addressOf(request));
    response.status(202).json(presentSession(session, originOf));
  });

  router.post('/:id/forget', async (request, response) => {
    await sessions.forget(await own(request));
    response.status(204).end();
  });

  router.delete('/:id', async (request, response) => {
    await sessions.remove(await own(request));
    response.status(204).end();
  });

  router.get('/:id/log', async (request, response) => {
    const session = await own(request);
    const tailLines = parseNumber(request.query['tail'], 'tail', { least: 1, most: 5000, fallback: 200 });
    const lines: string[] = [];
    for await (const line of sessions.log(session, { tailLines, follow: false })) lines.push(line);
    response.json({ lines });
  });
  return router;
}

function cursorOf(text: unknown): { createdAt: number; id: string } | undefined {
  if (text === undefined) return undefined;
  try {
    const [createdAt, id] = JSON.parse(Buffer.from(String(text as string), 'base64url').toString('utf8')) as [
      unknown,
      unknown,
    ];
    if (typeof createdAt === 'number' && typeof id === 'string') return { createdAt, id };
  } catch {
    // falls through
  }
  throw new PortalError('bad-request', {
    fields: [{ path: 'after', message: "must be the 'next' of an earlier answer" }],
  });
}
