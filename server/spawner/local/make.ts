// Builds the spawner of local sites: asks the Python, tries the sandbox with the real list of binds, finds control groups.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { readBootId } from '../../lib/process-identity.ts';
import { prepareView } from './launch.ts';
import { readPlaces } from './limits.ts';
import type { ProcessStore } from './processes.ts';
import { askPython, type PythonFacts } from './python.ts';
import { probeSandbox, type Sandbox } from './sandbox.ts';
import { LocalSpawner } from './spawner.ts';

export interface LocalSettings {
  /** Sessions get folders below `<dataDir>/sessions`. */
  dataDir: string;
  homesDir: string;
  /** Interpreter with JupyterLab: a path, or a name to be found in PATH. */
  python: string;
  /** The built agent, one file. */
  agentFile: string;
  /** Besides dataDir and homesDir: what no session may see, for example configuration and TLS key. */
  secretPaths?: string[];
  store: ProcessStore;
  clock: Clock;
  log: Log;
  /** False: plain processes, for a machine of one person or a test. */
  sandbox?: boolean;
  logBytes?: number;
  bootId?: string;
}

/**
 * Never throws because of the machine: what is wrong is told by `check()`, by `start()` and by `.sandbox`.
 * The caller refuses listeners off loopback while `.sandbox.available` is false.
 */
export async function makeLocalSpawner(settings: LocalSettings): Promise<LocalSpawner> {
  const { dataDir, homesDir, agentFile, store, clock, log } = settings;
  const sessionsDir = path.resolve(dataDir, 'sessions');
  const python = await askPython(settings.python).catch((error: Error) => ({ problem: error.message }));
  const sandbox: Sandbox =
    settings.sandbox === false
      ? { available: false, reason: 'it is switched off' }
      : await trySandbox(python, sessionsDir, agentFile, [dataDir, homesDir, ...(settings.secretPaths ?? [])]);
  return new LocalSpawner({
    sessionsDir,
    homesDir: path.resolve(homesDir),
    agentFile: path.resolve(agentFile),
    python,
    sandbox,
    store,
    clock,
    log,
    bootId: settings.bootId ?? readBootId(),
    places: await readPlaces(),
    logBytes: settings.logBytes ?? 1_048_576,
  });
}

async function trySandbox(
  python: PythonFacts | { problem: string },
  sessionsDir: string,
  agentFile: string,
  secrets: string[],
): Promise<Sandbox> {
  if ('problem' in python) return { available: false, reason: python.problem };
  let directory: string | undefined;
  try {
    await mkdir(sessionsDir, { recursive: true, mode: 0o700 });
    directory = await mkdtemp(path.join(sessionsDir, '.trial-'));
    const home = path.join(directory, 'home');
    const view = await prepareView({ directory, home, python, agentFile: path.resolve(agentFile) }, 'trial');
    return await probeSandbox(view, secrets);
  } catch (error) {
    return { available: false, reason: `no trial run could be made: ${(error as Error).message}` };
  } finally {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true }).catch(() => undefined);
  }
}
