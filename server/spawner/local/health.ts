// What can keep this machine from running sessions, as one sentence with a remedy.
import { access, constants, mkdir, statfs } from 'node:fs/promises';
import type { SiteHealth } from '../spawner.ts';
import { unfitPython, type PythonFacts } from './python.ts';
import type { Sandbox } from './sandbox.ts';

/** Below this much free space a session may start, but hardly work. */
export const lowDiskBytes = 268_435_456;

export interface Surroundings {
  python: PythonFacts | { problem: string };
  sandbox: Sandbox;
  /** Folders that have to be writable. */
  folders: string[];
  /** Free bytes where a folder lies; statfs(2) when left out. */
  freeBytes?: (folder: string) => Promise<number>;
}

/** @returns down = no session can start; degraded = they start, with a drawback */
export async function checkSurroundings(given: Surroundings): Promise<SiteHealth> {
  const problem = 'problem' in given.python ? given.python.problem : unfitPython(given.python, true);
  if (problem !== undefined) return { health: 'down', message: `${problem}.` };
  for (const folder of given.folders) {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await access(folder, constants.W_OK | constants.X_OK);
    } catch (error) {
      const reason = (error as Error).message;
      return {
        health: 'down',
        message: `'${folder}' is not writable (${reason}); give the server's account the right.`,
      };
    }
    const free = await (given.freeBytes ?? freeBytesAt)(folder);
    if (free < lowDiskBytes) {
      const mebibytes = Math.floor(free / 1_048_576);
      return { health: 'degraded', message: `Only ${mebibytes} MiB are free at '${folder}'; make room there.` };
    }
  }
  if (!given.sandbox.available)
    return { health: 'degraded', message: `Sessions run without a sandbox: ${given.sandbox.reason}.` };
  return { health: 'ok', message: null };
}

async function freeBytesAt(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
