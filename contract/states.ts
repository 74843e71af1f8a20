// One vocabulary of session states and causes for cloud and HPC (design: "States").
import { z } from 'zod';

/** States before an end, in the order in which a session usually passes them. */
export const liveStates = [
  'checking',
  'preparing',
  'submitted',
  'accepted',
  'queued',
  'booting',
  'starting',
  'connecting',
  'ready',
  'lost',
  'stopping',
] as const;
/** Ends. A session in one of these never changes its state again. */
export const endStates = ['finished', 'stopped', 'cancelled', 'failed'] as const;

export const SessionState = z.enum([...liveStates, ...endStates]);
export type SessionState = z.infer<typeof SessionState>;

/** @returns whether the state is an end. */
export const isEnd = (state: SessionState): boolean => (endStates as readonly string[]).includes(state);

/** Why a session ended or is being stopped. The words for people are made from the code at one place, sessions/words.ts. */
export const CauseCode = z.enum([
  'exited',
  'app-failed',
  'app-never-answered',
  'walltime',
  'max-age',
  'away',
  'by-owner',
  'by-admin',
  'by-culler',
  'cancelled-by-owner',
  'cancelled-outside',
  'preempted',
  'oom',
  'node-failure',
  'image-error',
  'refused',
  'enrolment-conflict',
  'vanished',
  'forgotten',
  'unknown',
]);
export type CauseCode = z.infer<typeof CauseCode>;

export const Cause = z.object({
  code: CauseCode,
  /** One or two plain sentences. */
  words: z.string(),
  exitCode: z.number().int().optional(),
  signal: z.string().optional(),
});
export type Cause = z.infer<typeof Cause>;
