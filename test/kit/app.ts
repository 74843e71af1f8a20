// The whole server in this process, on a free port, with a clock that a test can move.
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createApp, type App } from '../../server/app.ts';
import { Config } from '../../server/config/schema.ts';
import { settle } from '../../server/config/settings.ts';
import { makeLog } from '../../server/lib/log.ts';
import { movableClock, type MovableClock } from './clock.ts';
import { Person } from './person.ts';
import { freePort } from './ports.ts';
import { endProcessesOf } from './processes.ts';

export const packageRoot = fileURLToPath(new URL('../..', import.meta.url));

export interface TestApp {
  app: App;
  port: number;
  portal: string;
  clock: MovableClock;
  dataDir: string;
  passwords: Map<string, string>;
  /** Everything the server logged, one JSON text per line. */
  logged: string[];
  /** A person who is logged in as one of the demo people. */
  person(username: string): Promise<Person>;
  /** After `app.close()`: another server on the same port and data. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

/** @param wanted a port that an issuer was told of before; a free one when left out */
export async function testApp(
  config: Record<string, unknown> = {},
  clock = movableClock(),
  wanted?: number,
): Promise<TestApp> {
  const dataDir = await mkdtemp(path.join(os.tmpdir(), 'ls-app-'));
  const port = wanted ?? (await freePort());
  const logged: string[] = [];
  const log = makeLog('debug', { write: (line: string) => void logged.push(line) });
  const parsed = Config.parse({ dataDir, ...config });
  const create = (): Promise<App> => createApp({ settings: settle(parsed, port), clock, log, packageRoot });
  let app: App;
  try {
    app = await create();
  } catch (error) {
    await rm(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    throw error;
  }
  const passwords = new Map(app.fresh.map(({ username, password }) => [username, password]));
  const made: TestApp = {
    app,
    port,
    portal: `http://localhost:${port}`,
    clock,
    dataDir,
    passwords,
    logged,
    async person(username) {
      const person = new Person(port);
      const answer = await person.logIn(username, passwords.get(username) ?? '');
      if (answer.status !== 200) throw new Error(`${username} could not log in: ${answer.status} ${answer.text}`);
      return person;
    },
    async reopen() {
      app = await create();
      made.app = app;
    },
    async close() {
      await app.close();
      await endProcessesOf(dataDir);
      await rm(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
  return made;
}
