// The one function that says in which state a session is: facts and clock in, state out. No input, no output, no memory.
import type { Cause, CauseCode, SessionState } from '../../contract/states.ts';
import { agentExit } from '../../contract/tunnel.ts';
import type { ExitCause } from '../spawner/spawner.ts';
import type { Situation } from './situation.ts';
import { causeWords, stateWords } from './words.ts';

/** How long a tunnel may be away before the session counts as lost. */
export const tunnelGraceMs = 60_000;

/** How long the first tunnel may take before a start shows as connecting. */
const dialMs = 3000;

export interface Derived {
  state: SessionState;
  cause: Cause | null;
  words: string;
  /** When the state may change without a new fact, epoch milliseconds. */
  lookAgainAt?: number;
}

/** @param now epoch milliseconds */
export function deriveState(situation: Situation, now: number): Derived {
  const end = endOf(situation);
  if (end) return { ...end, words: end.cause.words };
  if (situation.stop) return live('stopping');
  if (situation.agentExit) return live('stopping', 'The application has ended; cleaning up.');
  const { tunnel, app } = situation;
  if (tunnel && !tunnel.up) {
    if (now - tunnel.at >= tunnelGraceMs) return live('lost');
    const lookAgainAt = tunnel.at + tunnelGraceMs;
    if (app?.phase === 'ready') return { ...live('ready', 'Ready; contact is being restored.'), lookAgainAt };
    if (app?.phase === 'ending') return { ...live('stopping'), lookAgainAt };
    return { ...live('connecting'), lookAgainAt };
  }
  if (tunnel?.up) {
    if (app?.phase === 'ready') return live('ready');
    if (app?.phase === 'ending') return live('stopping', 'The time is up: documents are saved, then the session ends.');
    return live('starting');
  }
  if (situation.enrolledAt !== undefined) {
    // The agent starts the application while it dials, so a tunnel in good time is no phase of its own.
    const lookAgainAt = situation.enrolledAt + dialMs;
    return now < lookAgainAt ? { ...live('starting'), lookAgainAt } : live('connecting');
  }
  return live(spawnerState(situation), situation.spawner?.message);
}

const live = (state: SessionState, words?: string): Derived => ({
  state,
  cause: null,
  words: words ?? stateWords(state),
});

function spawnerState({ spawner, orderedAt }: Situation): SessionState {
  if (!spawner) return orderedAt === undefined ? 'checking' : 'submitted';
  switch (spawner.kind) {
    case 'running':
      return 'starting';
    case 'ended':
    case 'unknown':
      return 'submitted';
    default:
      return spawner.kind;
  }
}

interface End {
  state: SessionState;
  cause: Cause;
}

function endOf(situation: Situation): End | undefined {
  const { startError, conflictAt, stop, clearedAt, ended, vanishedAt, forgottenAt } = situation;
  if (conflictAt !== undefined) return end('failed', 'enrolment-conflict');
  if (startError) return end('failed', 'refused', `${causeWords('refused')} ${startError.message}`);
  if (forgottenAt !== undefined) return end('failed', 'forgotten');
  if (stop && (clearedAt !== undefined || ended)) return stopped(stop);
  if (ended) return ofExit(situation);
  if (vanishedAt !== undefined) return end('failed', 'vanished');
  return undefined;
}

function stopped(stop: NonNullable<Situation['stop']>): End {
  if (stop.by === 'owner') return stop.wasReady ? end('stopped', 'by-owner') : end('cancelled', 'cancelled-by-owner');
  return end(stop.wasReady ? 'stopped' : 'cancelled', stop.by === 'admin' ? 'by-admin' : 'by-culler');
}

const agentCauses: Record<NonNullable<Situation['agentExit']>['cause'], [SessionState, CauseCode]> = {
  app: ['finished', 'exited'],
  'app-failed': ['failed', 'app-failed'],
  'app-never-answered': ['failed', 'app-never-answered'],
  refused: ['failed', 'refused'],
  // Asked to end, but not by us: a signal at the site.
  stop: ['stopped', 'cancelled-outside'],
  walltime: ['finished', 'walltime'],
  'max-age': ['finished', 'max-age'],
  away: ['finished', 'away'],
};

const statusCauses = new Map<number, NonNullable<Situation['agentExit']>['cause']>([
  [agentExit.stop, 'stop'],
  [agentExit.walltime, 'walltime'],
  [agentExit.maxAge, 'max-age'],
  [agentExit.away, 'away'],
  [agentExit.refused, 'refused'],
  [agentExit.appFailed, 'app-failed'],
  [agentExit.appNeverAnswered, 'app-never-answered'],
]);

const siteCauses: Record<Exclude<ExitCause, 'exited'>, [SessionState, CauseCode]> = {
  walltime: ['finished', 'walltime'],
  cancelled: ['stopped', 'cancelled-outside'],
  preempted: ['failed', 'preempted'],
  oom: ['failed', 'oom'],
  nodeFailure: ['failed', 'node-failure'],
  imageError: ['failed', 'image-error'],
  refused: ['failed', 'refused'],
  unknown: ['failed', 'unknown'],
};

/** What the agent says outranks what the site saw: the site only sees that a process has exited. */
function ofExit({ ended, agentExit: said, app }: Situation): End {
  const exit = ended!.exit;
  if (said) {
    const [state, code] = agentCauses[said.cause];
    return end(state, code, withDetail(code, said.message), exit.code, exit.signal);
  }
  if (exit.cause !== 'exited') {
    const [state, code] = siteCauses[exit.cause];
    return end(state, code, withDetail(code, ended!.message), exit.code, exit.signal);
  }
  const byStatus = exit.code === undefined ? undefined : statusCauses.get(exit.code);
  if (byStatus !== undefined) return end(...agentCauses[byStatus], undefined, exit.code);
  if (exit.code === 0) return end('finished', 'exited');
  return end('failed', app?.readyAt === undefined ? 'app-failed' : 'unknown', undefined, exit.code, exit.signal);
}

/** The first line says what happened; further lines (a log tail) stay in the timeline's detail. */
function withDetail(code: CauseCode, message: string | undefined): string {
  const [first = '', ...tail] = message?.split('\n') ?? [];
  if (first === '' || code === 'exited' || code === 'cancelled-outside') return causeWords(code);
  if (code !== 'app-failed' && code !== 'app-never-answered') return `${causeWords(code)} (${first})`;
  const said = first.replace(/ Its last lines:$/, '');
  return tail.some((line) => line !== '') ? `${said} Its last lines are in the log.` : said;
}

function end(state: SessionState, code: CauseCode, words?: string, exitCode?: number, signal?: string): End {
  return {
    state,
    cause: {
      code,
      words: words ?? causeWords(code),
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(signal === undefined ? {} : { signal }),
    },
  };
}
