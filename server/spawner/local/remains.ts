// What is left of a session whose parent did not end it: somebody killed the parent. In a sandbox nothing survives it
// (--die-with-parent); without one the agent gets a SIGTERM, and what hides from that is found here.
import path from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { ProcessRecord } from './exit.ts';
import { carriersOf, descendantsOf, isAlive, signalTo, type LocalProcess } from './processes.ts';

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
