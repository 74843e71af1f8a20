// A session that a site has accepted and whose agent the test plays: rows in the database, no process.
import path from 'node:path';
import { openDatabase, type Database } from '../../server/db/open.ts';
import { base32Id } from '../../server/lib/ids.ts';
import { Enrolments } from '../../server/sessions/enrolments.ts';
import { SessionStore, type SessionRow } from '../../server/sessions/store.ts';
import { stateWords } from '../../server/sessions/words.ts';
import type { TestApp } from './app.ts';

export interface Place {
  db: Database;
  /** As the server's own, but telling nobody. */
  enrolments: Enrolments;
  /** @returns a session of a person, and the token that its agent would get */
  session(userId: string, site?: string): Promise<{ id: string; token: string }>;
  close(): Promise<void>;
}

/** A second hand in the database of a server. */
export async function place({ dataDir, clock }: TestApp): Promise<Place> {
  const db = await openDatabase(`sqlite:${path.join(dataDir, 'linkspan.sqlite')}`);
  const sessions = new SessionStore(db);
  const enrolments = new Enrolments(db, clock, { conflict: () => undefined, enrolled: () => undefined });
  return {
    db,
    enrolments,
    async session(userId, site = 'this-machine') {
      const row = rowOf(userId, site, clock.now());
      await sessions.insert(row);
      return { id: row.id, token: await enrolments.issue(row.id) };
    },
    close: () => db.destroy(),
  };
}

function rowOf(userId: string, site: string, now: number): SessionRow {
  const id = base32Id();
  return {
    id,
    userId,
    profileId: 'jupyterlab',
    profileTitle: 'JupyterLab',
    site,
    siteTitle: site,
    host: `s-${id}.localhost`,
    title: 'Played',
    resources: '',
    spec: {
      v: 1,
      sessionId: id,
      installation: 'i_test',
      site,
      user: { id: userId, slug: 'ada', name: 'Ada' },
      title: 'Played',
      image: null,
      app: { kind: 'jupyterlab', defaultUrl: '/lab' },
      resources: { cpus: null, memoryBytes: null, gpus: 0 },
      env: {},
      walltimeSeconds: 3600,
      maxAgeSeconds: 86_400,
      awaySeconds: 86_400,
      readyTimeoutSeconds: 120,
    },
    situation: { orderedAt: now, spawner: { kind: 'running', at: now } },
    state: 'starting',
    cause: null,
    words: stateWords('starting'),
    jobId: null,
    node: null,
    acr: null,
    authTime: null,
    project: null,
    loginId: null,
    createdAt: now,
    updatedAt: now,
    readyAt: null,
    endedAt: null,
    endsAt: null,
    activeAt: now,
    deletedAt: null,
  };
}
