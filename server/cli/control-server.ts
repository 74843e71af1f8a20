// The server's end of the control socket (0600): sessions for the administrator of the machine, and the embedded issuer for ourselves.
import { chmodSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import express, { type RequestHandler } from 'express';
import { PortalError } from '../../contract/errors.ts';
import { errorEnd } from '../http/problem.ts';
import type { Log } from '../lib/log.ts';
import type { Sessions, SessionRow } from '../sessions/index.ts';

export interface ControlOptions {
  path: string;
  sessions: Sessions;
  iam: RequestHandler | undefined;
  log: Log;
}

/** @returns the closer, once the socket listens */
export async function serveControl({ path, sessions, iam, log }: ControlOptions): Promise<{ close(): Promise<void> }> {
  const app = express();
  app.disable('x-powered-by');
  if (iam) app.use('/iam', iam);
  app.get('/control/sessions', async (request, response) => {
    const rows = request.query['all'] === 'true' ? await sessions.store.listAll(1000) : await sessions.store.listLive();
    response.json({ items: rows.map(present) });
  });
  app.post('/control/sessions/:id/stop', async (request, response) => {
    const session = await sessions.store.find(request.params.id);
    if (!session)
      throw new PortalError('session-not-found', { message: `There is no session '${request.params.id}'.` });
    response.json(present(await sessions.stopAndWait(session, 'admin')));
  });
  app.use((_request, _response, next) => next(new PortalError('not-found')));
  app.use(errorEnd(log));
  const server = createServer(app);
  rmSync(path, { force: true });
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(before);
  }
  chmodSync(path, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const present = (row: SessionRow) => ({
  id: row.id,
  user: row.spec.user.slug,
  profile: row.profileId,
  site: row.site,
  state: row.state,
  createdAt: new Date(row.createdAt).toISOString(),
  words: row.words,
});
