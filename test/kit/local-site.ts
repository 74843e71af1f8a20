// A local site in temporary folders: real bubblewrap, real processes, the stand-in agent. All ends with close().
import { until } from './until.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeLog } from '../../server/lib/log.ts';
import { base32Id } from '../../server/lib/ids.ts';
import { systemClock } from '../../server/lib/clock.ts';
import { makeLocalSpawner, type LocalSettings } from '../../server/spawner/local/make.ts';
import type { LocalProcess, ProcessStore } from '../../server/spawner/local/processes.ts';
import type { LocalSpawner } from '../../server/spawner/local/spawner.ts';
import type { SessionSpec } from '../../server/spawner/spec.ts';
import type { Fact } from '../../server/spawner/spawner.ts';
import { endProcessesOf } from './processes.ts';

export const fakeAgent = fileURLToPath(new URL('./fake-agent.py', import.meta.url));

export function memoryStore(): ProcessStore & { rows: Map<string, LocalProcess> } {
  const rows = new Map<string, LocalProcess>();
  return {
    rows,
    put: async (row) => void rows.set(row.sessionId, row),
    get: async (sessionId) => rows.get(sessionId),
    remove: async (sessionId) => void rows.delete(sessionId),
    list: async (site) => [...rows.values()].filter((row) => site === undefined || row.site === site),
  };
}

/** @param program Python text that the stand-in agent runs */
export const specOf = (program: string, more: Partial<SessionSpec> = {}): SessionSpec => ({
  v: 1,
  sessionId: base32Id(16),
  installation: 'test',
  site: 'here',
  user: { id: 'u_aaaaaaaaaaaaaaaa', slug: 'ada-00000001', name: 'Ada' },
  title: 'test',
  image: null,
  app: { kind: 'argv', argv: [program], readyPath: '/' },
  resources: { cpus: null, memoryBytes: null, gpus: 0 },
  env: {},
  walltimeSeconds: null,
  maxAgeSeconds: 3600,
  awaySeconds: 3600,
  readyTimeoutSeconds: 60,
  enrol: { url: 'http://127.0.0.1:1', token: 'enrolment-token-of-the-test' },
  ...more,
});

export interface LocalSite {
  folder: string;
  spawner: LocalSpawner;
  store: ReturnType<typeof memoryStore>;
  facts: Fact[];
  directoryOf(sessionId: string): string;
  ended(sessionId: string): Promise<Fact>;
  lines(sessionId: string): Promise<string[]>;
  /** Another spawner over the same rows and folders, as after a restart of the server. */
  restarted(more?: Partial<LocalSettings>): Promise<{ spawner: LocalSpawner; facts: Fact[] }>;
  close(): Promise<void>;
}

export async function localSite(more: Partial<LocalSettings> = {}, below = os.tmpdir()): Promise<LocalSite> {
  const folder = await mkdtemp(path.join(below, 'ls-local-'));
  const store = memoryStore();
  const closers: (() => void)[] = [];
  const made = async (over: Partial<LocalSettings>): Promise<{ spawner: LocalSpawner; facts: Fact[] }> => {
    const spawner = await makeLocalSpawner({
      dataDir: path.join(folder, 'data'),
      homesDir: path.join(folder, 'data/homes'),
      python: 'python3',
      agentFile: fakeAgent,
      store,
      clock: systemClock,
      log: makeLog('silent'),
      ...more,
      ...over,
    });
    const facts: Fact[] = [];
    await new Promise<void>((resolve) => {
      const watch = spawner.observe({ report: (fact) => facts.push(fact), synced: resolve });
      closers.push(() => watch.close());
    });
    return { spawner, facts };
  };
  const { spawner, facts } = await made({});
  const directoryOf = (sessionId: string): string => path.join(folder, 'data/sessions', sessionId);
  return {
    folder,
    spawner,
    store,
    facts,
    directoryOf,
    ended: (sessionId) =>
      until(() => facts.find((fact) => fact.kind === 'ended' && fact.sessionId === sessionId), 'the end'),
    lines: async (sessionId) => {
      const lines: string[] = [];
      for await (const line of spawner.logs(sessionId, { tailLines: 1000, follow: false })) lines.push(line);
      return lines;
    },
    restarted: (over = {}) => made(over),
    close: async () => {
      for (const close of closers) close();
      for (const sessionId of store.rows.keys()) await spawner.stop(sessionId, { graceSeconds: 0 });
      await endProcessesOf(folder); // of a row that a test falsified
      await rm(folder, { recursive: true, force: true });
    },
  };
}
