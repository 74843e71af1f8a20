// What is known about a session, merged from facts. Stored with the session; the state is computed from it.
import type { AgentCtrl } from '../../contract/tunnel.ts';
import type { Fact } from '../spawner/spawner.ts';

export type StoppedBy = 'owner' | 'admin' | 'culler';

/** Times are epoch milliseconds. */
export interface Situation {
  /** The spawner was asked to start it. */
  orderedAt?: number;
  startError?: { at: number; message: string };
  spawner?: { kind: Fact['kind']; at: number; reason?: string; message?: string; estimate?: number };
  runningAt?: number;
  ended?: { at: number; exit: NonNullable<Fact['exit']>; message?: string };
  enrolledAt?: number;
  tunnel?: { up: boolean; at: number };
  app?: { phase: 'starting' | 'ready' | 'ending'; at: number; startingAt?: number; readyAt?: number };
  agentExit?: {
    at: number;
    cause: Extract<AgentCtrl, { kind: 'exit' }>['cause'];
    code: number | null;
    signal: string | null;
    message?: string;
  };
  stop?: { at: number; by: StoppedBy; wasReady: boolean };
  /** The spawner has confirmed that nothing is left. */
  clearedAt?: number;
  conflictAt?: number;
  /** The spawner knows nothing of it, after it had reported everything. */
  vanishedAt?: number;
  forgottenAt?: number;
}

/** Merges a spawner's fact. An 'unknown' answer changes nothing; an end stays. */
export function mergeFact(situation: Situation, fact: Fact): Situation {
  if (fact.kind === 'unknown' || situation.ended) return situation;
  const told = {
    ...(fact.reason === undefined ? {} : { reason: fact.reason }),
    ...(fact.message === undefined ? {} : { message: fact.message }),
    ...(fact.estimate === undefined ? {} : { estimate: fact.estimate }),
  };
  const next: Situation = { ...situation, spawner: { kind: fact.kind, at: fact.at, ...told } };
  if (fact.kind === 'running') next.runningAt ??= fact.at;
  if (fact.kind === 'ended') {
    next.ended = {
      at: fact.at,
      exit: fact.exit ?? { cause: 'unknown' },
      ...(fact.message === undefined ? {} : { message: fact.message }),
    };
  }
  return next;
}

/** Merges what the agent said. The agent repeats itself on every new tunnel, so first times are kept. */
export function mergeCtrl(situation: Situation, message: AgentCtrl): Situation {
  if (message.kind === 'phase') {
    const app = situation.app;
    return {
      ...situation,
      app: {
        phase: message.phase,
        at: message.at,
        ...(message.phase === 'starting'
          ? { startingAt: app?.startingAt ?? message.at }
          : app?.startingAt === undefined
            ? {}
            : { startingAt: app.startingAt }),
        ...(message.phase === 'ready'
          ? { readyAt: app?.readyAt ?? message.at }
          : app?.readyAt === undefined
            ? {}
            : { readyAt: app.readyAt }),
      },
    };
  }
  if (message.kind !== 'exit' || situation.agentExit) return situation;
  const { at, cause, code, signal } = message;
  return {
    ...situation,
    agentExit: { at, cause, code, signal, ...(message.message === undefined ? {} : { message: message.message }) },
  };
}

/** Merges what the gateway saw of enrolment and tunnel. */
export function mergeGateway(
  situation: Situation,
  event: 'enrolled' | 'conflict' | 'up' | 'down',
  at: number,
): Situation {
  if (event === 'enrolled') return situation.enrolledAt === undefined ? { ...situation, enrolledAt: at } : situation;
  if (event === 'conflict') return { ...situation, conflictAt: at };
  if (event === 'down' && !situation.tunnel) return situation;
  return { ...situation, tunnel: { up: event === 'up', at } };
}
