// Finds and ends what a test's server started: every process whose command line names its data directory.
import { readdirSync, readFileSync } from 'node:fs';
import { until } from './until.ts';

/** Pids of processes whose command line contains the text. */
export function processesOf(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}

export async function endProcessesOf(text: string): Promise<void> {
  await until(() => {
    const left = processesOf(text);
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended by itself
      }
    }
    return left.length === 0;
  }, `processes of ${text} end`);
}
