// What is left of a session whose parent did not end it: somebody killed the parent. In a sandbox nothing survives it
// (--die-with-parent); without one the agent gets a SIGTERM, and what hides from that is found here.
import path from 'node:path';
import { PortalError } from '../../../contract/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { isAlive } from '../../lib/process-identity.ts';
import type { ProcessRecord } from './exit.ts';
import { carriersOf, descendantsOf, signalTo, type LocalProcess } from './processes.ts';

/** Without a sandbox every process of a session starts with this in its environment. */
export const markOf = (directory: string): string => `TMPDIR=${tmpOf(directory)}`;
export const tmpOf = (directory: string): string => path.join(directory, 'tmp');

/** @returns living processes of the session; the parent is not among them */
export function remainsOf(row: LocalProcess, written: ProcessRecord | undefined, bootId: string): number[] {
  if (row.bootId !== bootId) return [];
  const found = new Set(carriersOf(markOf(row.directory)));
  const { agent, agentStartTime } = written ?? {};
  if (agent && agentStartTime && isAlive({ pid: agent, startTime: agentStartTime, bootId }, bootId)) {
    found.add(agent);
    for (const pid of descendantsOf(agent)) found.add(pid);
  }
  return [...found];
}

/**
 * Kills until nothing is left; what is killed may fork meanwhile, so it looks again.
 * @returns whether nothing is left
 */
export async function endRemains(find: () => number[], clock: Clock, rounds = 250): Promise<boolean> {
  for (let round = 0; round < rounds; round += 1) {
    const left = find();
    if (left.length === 0) return true;
    for (const pid of left) signalTo(pid, 'SIGKILL');
    await clock.sleep(20);
  }
  return find().length === 0;
}

/** @throws PortalError internal when something stays in spite of all */
export async function endRemainsOf(
  row: LocalProcess,
  written: ProcessRecord | undefined,
  bootId: string,
  clock: Clock,
): Promise<void> {
  const find = (): number[] => remainsOf(row, written, bootId);
  if (!(await endRemains(find, clock))) throw stays(row.sessionId, find());
}

/**
 * Last resort for a parent that does not answer: children first, since their ends must not be adopted by anybody else.
 * @throws PortalError internal when the parent stays in spite of it
 */
export async function killAll(row: LocalProcess, bootId: string, clock: Clock): Promise<void> {
  signalTo(row.pid, 'SIGSTOP');
  await endRemains(() => descendantsOf(row.pid), clock);
  signalTo(row.pid, 'SIGKILL');
  if (!(await gone(row, bootId, 5))) throw stays(row.sessionId, [row.pid]);
}

/**
 * Waits in real time: it is the kernel that is waited for.
 * @returns whether the process has gone in time
 */
export async function gone(row: LocalProcess, bootId: string, seconds: number): Promise<boolean> {
  const until = performance.now() + seconds * 1000;
  while (isAlive(row, bootId)) {
    if (performance.now() >= until) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return true;
}

const stays = (sessionId: string, pids: number[]): PortalError =>
  new PortalError('internal', { message: 'Processes of the session do not end.', detail: { sessionId, pids } });
