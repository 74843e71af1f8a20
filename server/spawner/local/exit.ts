// exit.json and process.json of the parent, and what they mean.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Fact } from '../spawner.ts';

const ExitRecord = z.object({ code: z.number().int().nullable(), signal: z.string().nullable(), at: z.number() });
const ProcessRecord = z.object({
  pid: z.number(),
  startTime: z.string().nullable(),
  agent: z.number().nullable(),
  agentStartTime: z.string().nullable(),
});

export type ExitRecord = z.infer<typeof ExitRecord>;

/** @returns undefined while there is none */
export const readExit = (directory: string): Promise<ExitRecord | undefined> =>
  read(path.join(directory, 'exit.json'), ExitRecord);
export const readProcess = (directory: string): Promise<z.infer<typeof ProcessRecord> | undefined> =>
  read(path.join(directory, 'process.json'), ProcessRecord);

async function read<T>(file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
}

/** @returns the fact of an end that the parent recorded */
export function endedFact(sessionId: string, exit: ExitRecord): Fact {
  return {
    sessionId,
    at: exit.at,
    kind: 'ended',
    exit: {
      cause: 'exited',
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
