// The spawner of this machine: which Python, what no session may see, and its processes in the database.
import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { liveStates } from '../contract/states.ts';
import { ConfigError, isLoopback, type Settings } from './config/settings.ts';
import type { Database } from './db/open.ts';
import type { Clock } from './lib/clock.ts';
import type { Log } from './lib/log.ts';
import { makeLocalSpawner } from './spawner/local/make.ts';
import type { ProcessStore } from './spawner/local/processes.ts';
import type { LocalSpawner } from './spawner/local/spawner.ts';

export interface LocalSiteOptions {
  settings: Settings;
  db: Database;
  clock: Clock;
  log: Log;
  /** Where dist/agent.py and the private Python environment lie. */
  packageRoot: string;
}

/**
 * @throws ConfigError when people other than this machine's could reach sessions that have no sandbox
 */
export async function makeLocalSite({
  settings,
  db,
  clock,
  log,
  packageRoot,
}: LocalSiteOptions): Promise<LocalSpawner> {
  const { config } = settings;
  const spawner = await makeLocalSpawner({
    dataDir: settings.dataDir,
    homesDir: settings.homesDir,
    python: config.python ?? defaultPython(packageRoot),
    agentFile: path.join(packageRoot, 'dist/agent.py'),
    secretPaths: secretPaths(settings),
    store: processStore(db),
    clock,
    log,
  });
  const exposed =
    !isLoopback(config.listen.host) || !isLoopback(settings.publicUrl.hostname) || !settings.embeddedIssuer;
  if (!spawner.sandbox.available && exposed && !config.sharedUid) {
    throw new ConfigError([
      `sharedUid: sessions of this machine would run without a sandbox (${spawner.sandbox.reason}), and other people can ` +
        "reach the server: they could read each other's files. Make bubblewrap work, or set sharedUid: true if that is what you want",
    ]);
  }
  return spawner;
}

/** What no session may see, besides data directory and homes. A certificate is public; a key in the same file is the key. */
function secretPaths({ config, dataDir, databaseUrl, configFile }: Settings): string[] {
  const database = /^sqlite:(?!:memory:$)(.*)$/s.exec(databaseUrl)?.[1];
  return [
    config.tls?.keyFile,
    config.issuer?.clientSecretFile,
    config.metrics.tokenFile,
    configFile,
    path.join(dataDir, 'secret.key'), // may be a link to a key kept elsewhere
    database,
  ]
    .filter((file) => file !== undefined)
    .map((file) => path.resolve(file));
}

/** The environment that setup made; the link is resolved, since a sandbox binds the real folder. */
function defaultPython(packageRoot: string): string {
  const link = path.join(packageRoot, '.cache/python');
  return path.join(existsSync(link) ? realpathSync(link) : link, 'bin/python');
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
    list: (site) =>
      db
        .selectFrom('localProcesses')
        .selectAll()
        .where((or) =>
          or.or([
            or('settledAt', 'is', null),
            // The end was told, but the server died before the session knew it.
            or.exists(
              or
                .selectFrom('sessions')
                .select('id')
                .whereRef('sessions.id', '=', 'localProcesses.sessionId')
                .where('state', 'in', liveStates),
            ),
          ]),
        )
        .$if(site !== undefined, (query) => query.where('site', '=', site!))
        .execute(),
  };
}
