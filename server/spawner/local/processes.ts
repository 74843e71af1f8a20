// Processes of sessions: what is kept of them, and how they are found and signalled.
import { readdirSync, readFileSync } from 'node:fs';
import { statOf, type ProcessIdentity } from '../../lib/process-identity.ts';

/** The pid is 0 while only the intent is recorded and the process is not yet known. */
export interface LocalProcess extends ProcessIdentity {
  sessionId: string;
  directory: string;
  createdAt: number;
  /** Of which site; several sites may be on this machine. */
  site: string;
  /** Since when nothing of it is left; null while something may run. */
  settledAt: number | null;
}

/** Where the spawner keeps what it started; passed in, since a spawner knows no database. */
export interface ProcessStore {
  /** Inserts, or replaces the row of the same session. */
  put(row: LocalProcess): Promise<void>;
  get(sessionId: string): Promise<LocalProcess | undefined>;
  remove(sessionId: string): Promise<void>;
  /**
   * @param site all sites when left out
   * @returns rows that have to be looked at after a restart; a settled one only while its end may still be unknown
   */
  list(site?: string): Promise<LocalProcess[]>;
}

/** @returns whether the signal could be sent */
export function signalTo(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

const livingPids = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** @returns pids below `root`, without it and without zombies */
export function descendantsOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const pid of livingPids()) {
    const stat = statOf(pid);
    if (!stat || stat.state === 'Z') continue;
    children.set(stat.parent, [...(children.get(stat.parent) ?? []), pid]);
  }
  const found: number[] = [];
  const queue = [root];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    const below = children.get(pid) ?? [];
    found.push(...below);
    queue.push(...below);
  }
  return found;
}

/** @returns pids whose environment has this setting, as far as it may be read: finds what left its process tree */
export function carriersOf(setting: string): number[] {
  return livingPids().filter((pid) => {
    try {
      const stat = statOf(pid);
      return (
        stat !== undefined &&
        stat.state !== 'Z' &&
        readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(setting)
      );
    } catch {
      return false;
    }
  });
}
