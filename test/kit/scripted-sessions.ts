// The sessions room over a database in memory, with sites that do what a test says.
import { PortalError } from '../../contract/errors.ts';
import { Profile, Site } from '../../contract/profile.ts';
import { makeAuditWrite } from '../../server/audit/write.ts';
import { openDatabase, type Database } from '../../server/db/open.ts';
import { makeLog } from '../../server/lib/log.ts';
import { makeProfileBook } from '../../server/profiles/book.ts';
import { Sessions, type Starter } from '../../server/sessions/index.ts';
import { SiteRegistry } from '../../server/sites/registry.ts';
import type { Fact, SiteHealth, Spawner } from '../../server/spawner/spawner.ts';
import { movableClock, type MovableClock } from './clock.ts';

/** A site in memory: sessions run there from start to stop. */
export class ScriptedSpawner implements Spawner {
  readonly running = new Set<string>();
  readonly started: string[] = [];
  /** Awaited by every stop before anything ends. */
  beforeStop: (sessionId: string) => Promise<void> = () => Promise.resolve();
  health: SiteHealth = { health: 'ok', message: null };
  readonly #see = new Set<{ report: (fact: Fact) => void }>();

  start(spec: { sessionId: string }): Promise<void> {
    this.started.push(spec.sessionId);
    this.running.add(spec.sessionId);
    this.#report({ sessionId: spec.sessionId, at: Date.now(), kind: 'running' });
    return Promise.resolve();
  }

  async stop(sessionId: string): Promise<void> {
    await this.beforeStop(sessionId);
    if (!this.running.delete(sessionId)) return;
    this.end(sessionId);
  }

  observe(see: { report: (fact: Fact) => void; synced: () => void }): { close(): void } {
    this.#see.add(see);
    for (const sessionId of this.running) see.report({ sessionId, at: Date.now(), kind: 'running' });
    see.synced();
    return { close: () => void this.#see.delete(see) };
  }

  async *logs(): AsyncIterable<string> {}
  forget(sessionId: string): Promise<void> {
    if (this.running.has(sessionId)) throw new PortalError('session-not-ended');
    return Promise.resolve();
  }
  check(): Promise<SiteHealth> {
    return Promise.resolve(this.health);
  }

  /** The application ends by itself. */
  end(sessionId: string): void {
    this.running.delete(sessionId);
    this.#report({ sessionId, at: Date.now(), kind: 'ended', exit: { cause: 'exited', code: 0 } });
  }

  #report(fact: Fact): void {
    for (const { report } of this.#see) report(fact);
  }
}

export interface ScriptedSessions {
  db: Database;
  clock: MovableClock;
  sessions: Sessions;
  spawner: ScriptedSpawner;
  /** Closes the room and opens another one over the same rows, as a restart of the server does. */
  restart(sites?: string[]): Promise<Sessions>;
  close(): Promise<void>;
}

/** Who starts in these tests. */
export const starter = (id = 'u_aaaaaaaaaaaaaaaa'): Starter => ({
  user: { id, iss: 'test', sub: id, slug: 'ada-00000001', name: 'Ada', email: null, groups: [] },
  loginId: 'l1',
  acr: null,
  authTime: null,
  address: '192.0.2.7',
});

/** One profile `lab` on the site `here`. */
export async function scriptedSessions(sessionHosts: string[] = []): Promise<ScriptedSessions> {
  const db = await openDatabase('sqlite::memory:');
  const clock = movableClock();
  const log = makeLog('silent');
  const spawner = new ScriptedSpawner();
  const make = (sites: string[]): Sessions =>
    new Sessions({
      db,
      clock,
      log,
      profiles: makeProfileBook([Profile.parse({ id: 'lab', title: 'Lab', site: 'here' })]),
      sites: new SiteRegistry(
        sites.map((name) => ({
          site: Site.parse({ name, title: name, kind: 'local', class: 'cloud' }),
          spawner,
          agentUrl: 'http://127.0.0.1:1',
        })),
        clock,
      ),
      audit: makeAuditWrite(db, clock, log),
      installation: 'i_test',
      sessionsPerUser: 5,
      sessionDomain: 'localhost',
      sessionHosts,
      closeGateway: () => Promise.resolve({ hadWebsockets: false }),
      tellAgent: () => false,
      ended: () => Promise.resolve(),
    });
  const made: ScriptedSessions = {
    db,
    clock,
    spawner,
    sessions: make(['here']),
    async restart(sites = ['here']) {
      await made.sessions.close();
      made.sessions = make(sites);
      await made.sessions.run();
      return made.sessions;
    },
    async close() {
      await made.sessions.close();
      await db.destroy();
    },
  };
  await made.sessions.run();
  return made;
}
