// Every process of a session as the machine sees it: also kernels and their children, whose command lines name nothing of ours.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { processesOf } from './processes.ts';

export interface Member {
  pid: number;
  /** Since boot; a number that is given again belongs to another. */
  startTime: string;
  command: string;
}

/** @param directory folder of the session, which the first of its processes name */
export function familyOf(directory: string): Member[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => look(Number(name)) ?? []);
  const pids = new Set(processesOf(directory));
  for (let size = -1; size !== pids.size;) {
    size = pids.size;
    for (const { pid, parent } of all) if (pids.has(parent)) pids.add(pid);
  }
  return all.filter(({ pid }) => pids.has(pid));
}

/** Those that still run. */
export const stillThere = (family: Member[]): Member[] =>
  family.filter(({ pid, startTime }) => look(pid)?.startTime === startTime);

/** TCP listeners of these processes as ss(8) prints them. */
export function listenersOf(family: Member[]): string[] {
  const pids = new Set(family.map(({ pid }) => String(pid)));
  return execFileSync('ss', ['-Htlnp'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => [...line.matchAll(/pid=(\d+)/g)].some(([, pid]) => pids.has(pid!)));
}

function look(pid: number): (Member & { parent: number }) | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
    return { pid, parent: Number(fields[1]), startTime: fields[19]!, command };
  } catch {
    return undefined;
  }
}
