// A process is named by pid + start time + boot id: pids come back, these three together do not.
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** Field 22 of /proc/<pid>/stat, clock ticks since boot. */
  startTime: string;
  bootId: string;
}

/** @returns the id of this start of the machine */
export const readBootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

export interface ProcessStat {
  state: string;
  parent: number;
  startTime: string;
}

/** @returns undefined when there is no such process */
export function statOf(pid: number): ProcessStat | undefined {
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
export function isAlive(process: ProcessIdentity, bootId: string): boolean {
  if (process.pid <= 0 || process.bootId !== bootId) return false;
  const stat = statOf(process.pid);
  return stat !== undefined && stat.state !== 'Z' && stat.startTime === process.startTime;
}
