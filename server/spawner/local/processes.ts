// A process is named by pid + start time + boot id: pids come back, these three do not.
import { readdirSync, readFileSync } from 'node:fs';

export interface LocalProcess {
  sessionId: string;
  /** 0 = intent is recorded, the process is not yet known. */
  pid: number;
  /** Field 22 of /proc/<pid>/stat, clock ticks since boot. */
  startTime: string;
  bootId: string;
  directory: string;
  createdAt: number;
}

/** Where the spawner keeps what it started; passed in, since a spawner knows no database. */
export interface ProcessStore {
  /** Inserts, or replaces the row of the same session. */
  put(row: LocalProcess): Promise<void>;
  get(sessionId: string): Promise<LocalProcess | undefined>;
  remove(sessionId: string): Promise<void>;
  list(): Promise<LocalProcess[]>;
}

export const readBootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

interface Stat {
  state: string;
  parent: number;
  startTime: string;
}

/** @returns undefined when there is no such process */
export function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything, blanks and parentheses too.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', parent: Number(fields[1]), startTime: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

/** @returns whether exactly this process lives */
export function isAlive(process: Pick<LocalProcess, 'pid' | 'startTime' | 'bootId'>, bootId: string): boolean {
  if (process.pid <= 0 || process.bootId !== bootId) return false;
  const stat = statOf(process.pid);
  return stat !== undefined && stat.state !== 'Z' && stat.startTime === process.startTime;
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
