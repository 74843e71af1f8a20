// exit.json and process.json of the parent, and what they mean.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { agentExit } from '../../../contract/tunnel.ts';
import type { Fact } from '../spawner.ts';

const ExitRecord = z.object({
  code: z.number().int().nullable(),
  signal: z.string().nullable(),
  /** The kernel killed in the session's control group for want of memory. */
  oom: z.boolean(),
  at: z.number(),
});
export type ExitRecord = z.infer<typeof ExitRecord>;

const ProcessRecord = z.object({
  pid: z.number(),
  startTime: z.string().nullable(),
  agent: z.number().nullable(),
  agentStartTime: z.string().nullable(),
});
export type ProcessRecord = z.infer<typeof ProcessRecord>;

/** @returns undefined while there is none */
export const readExit = (directory: string): Promise<ExitRecord | undefined> =>
  read(path.join(directory, 'exit.json'), ExitRecord);
/** @returns undefined when the parent has not come so far */
export const readProcess = (directory: string): Promise<ProcessRecord | undefined> =>
  read(path.join(directory, 'process.json'), ProcessRecord);

async function read<T>(file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
}

/** @returns the fact of an end that the parent recorded; the agent's exit status (contract/tunnel.ts) stays as the code */
export function endedFact(sessionId: string, exit: ExitRecord): Fact {
  const killed = exit.signal === 'SIGKILL' || exit.code === agentExit.appFailed;
  return {
    sessionId,
    at: exit.at,
    kind: 'ended',
    exit: {
      cause: exit.oom && killed ? 'oom' : 'exited',
      ...(exit.code === null ? {} : { code: exit.code }),
      ...(exit.signal === null ? {} : { signal: exit.signal }),
    },
    raw: exit,
  };
}

/** @returns the fact of an end that nobody recorded: the machine restarted, or somebody killed the parent */
export function lostFact(sessionId: string, at: number, rebooted: boolean): Fact {
  return {
    sessionId,
    at,
    kind: 'ended',
    message: rebooted ? 'The machine was restarted.' : 'The process has gone without an exit record.',
    exit: { cause: rebooted ? 'nodeFailure' : 'unknown' },
  };
}
