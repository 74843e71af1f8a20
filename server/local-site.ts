// Builds the spawner of this machine: finds Python, tries the sandbox, keeps its processes in the database.
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { ConfigError, isLoopback, type Settings } from './config/settings.ts';
import type { Database } from './db/open.ts';
import type { Clock } from './lib/clock.ts';
import type { Log } from './lib/log.ts';
import type { ProcessStore } from './spawner/local/processes.ts';
import { askPython, type PythonFacts } from './spawner/local/python.ts';
import { probeSandbox, type Sandbox } from './spawner/local/sandbox.ts';
import { LocalSpawner } from './spawner/local/spawner.ts';

export interface LocalSite {
  spawner: LocalSpawner;
  sandbox: Sandbox;
}

/**
 * @param packageRoot where dist/agent.py and the private Python environment lie
 * @throws ConfigError when people other than this machine's could reach sessions without a sandbox
 */
export async function makeLocalSite(
  settings: Settings,
  db: Database,
  clock: Clock,
  log: Log,
  packageRoot: string,
): Promise<LocalSite> {
  const agentFile = path.join(packageRoot, 'dist/agent.py');
  const python: PythonFacts | { problem: string } = await askPython(
    settings.config.python ?? defaultPython(packageRoot),
  ).catch((error: Error) => ({
    problem: error.message,
  }));
  const sandbox =
    'problem' in python
      ? { available: false as const, reason: python.problem }
      : await tryView(python, agentFile, settings.dataDir);
  const exposed =
    !isLoopback(settings.config.listen.host) || !isLoopback(settings.publicUrl.hostname) || !settings.embeddedIssuer;
  if (!sandbox.available && exposed && !settings.config.sharedUid) {
    throw new ConfigError([
      `sharedUid: sessions of this machine would run without a sandbox (${sandbox.reason}), and other people can reach the server: ` +
        "they could read each other's files. Make bubblewrap work, or set sharedUid: true if that is what you want",
    ]);
  }
  mkdirSync(settings.homesDir, { recursive: true, mode: 0o700 });
  const spawner = new LocalSpawner({
    sessionsDir: path.join(settings.dataDir, 'sessions'),
    homesDir: settings.homesDir,
    agentFile,
    python,
    sandbox,
    store: processStore(db),
    clock,
    log,
  });
  return { spawner, sandbox };
}

/** The environment that setup made; the link is resolved, since the sandbox binds the real folder. */
function defaultPython(packageRoot: string): string {
  const link = path.join(packageRoot, '.cache/python');
  return path.join(existsSync(link) ? realpathSync(link) : link, 'bin/python');
}

async function tryView(python: PythonFacts, agentFile: string, dataDir: string): Promise<Sandbox> {
  const folder = path.join(dataDir, 'run', 'probe');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return await probeSandbox({
    python,
    agentFile,
    home: { host: folder, inside: '/home/probe' },
    tmp: folder,
    etc: folder,
  });
}

function processStore(db: Database): ProcessStore {
  return {
    async put(row) {
      const { sessionId: _key, ...values } = row;
      await db
        .insertInto('localProcesses')
        .values(row)
        .onConflict((conflict) => conflict.column('sessionId').doUpdateSet(values))
        .execute();
    },
    get: (sessionId) =>
      db.selectFrom('localProcesses').selectAll().where('sessionId', '=', sessionId).executeTakeFirst(),
    async remove(sessionId) {
      await db.deleteFrom('localProcesses').where('sessionId', '=', sessionId).execute();
    },
    list: () => db.selectFrom('localProcesses').selectAll().execute(),
  };
}
