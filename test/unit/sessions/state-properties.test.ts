// What holds for every session, in whatever order spawners, agents, people and time report.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Cause, CauseCode, endStates, isEnd, liveStates, SessionState } from '../../../contract/states.ts';
import type { AgentCtrl } from '../../../contract/tunnel.ts';
import { mergeCtrl, mergeFact, type Situation } from '../../../server/sessions/situation.ts';
import { deriveState } from '../../../server/sessions/state.ts';
import { causeWords, stateWords } from '../../../server/sessions/words.ts';
import type { ExitCause, Fact } from '../../../server/spawner/spawner.ts';

/** Something that happens to a session at a time. */
type Step = (situation: Situation, at: number) => Situation;

const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const without = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;

const kinds = ['submitted', 'accepted', 'queued', 'booting', 'preparing', 'running', 'ended', 'unknown'] as const;
const exitCauses: ExitCause[] = [
  'exited',
  'walltime',
  'cancelled',
  'preempted',
  'oom',
  'nodeFailure',
  'imageError',
  'refused',
  'unknown',
];
const agentCauses = [
  'app',
  'app-failed',
  'app-never-answered',
  'refused',
  'stop',
  'walltime',
  'max-age',
  'away',
] as const;
/** One line, a log tail; none of them holds a word of machines. */
const message = fc.constantFrom('Three are before you.', 'It failed. Its last lines:\na\nb', 'It failed.\n\n');

const factStep = fc
  .record({
    kind: fc.constantFrom<Fact['kind']>(...kinds),
    message: optional(message),
    exit: optional(
      fc.record({ cause: fc.constantFrom(...exitCauses), code: optional(fc.nat(255)), signal: optional(fc.string()) }),
    ),
  })
  .map(
    ({ kind, message: told, exit }): Step =>
      (situation, at) =>
        mergeFact(
          situation,
          without({ sessionId: 'aaaaaaaaaaaaaaaa', at, kind, message: told, exit: exit && without(exit) }) as Fact,
        ),
  );
const ctrlStep = fc
  .oneof(
    fc.record({ kind: fc.constant('phase'), phase: fc.constantFrom('starting', 'ready', 'ending') }),
    fc.record({
      kind: fc.constant('exit'),
      code: fc.option(fc.nat(255)),
      signal: fc.option(fc.constantFrom('SIGKILL', 'SIGTERM')),
      cause: fc.constantFrom(...agentCauses),
      message: optional(fc.oneof(message, fc.constant(''))),
    }),
  )
  .map(
    (told): Step =>
      (situation, at) =>
        mergeCtrl(situation, without({ ...told, at }) as AgentCtrl),
  );
const gatewayStep = fc.constantFrom<Step>(
  (situation, at) => ({ ...situation, orderedAt: situation.orderedAt ?? at }),
  (situation, at) => ({ ...situation, enrolledAt: situation.enrolledAt ?? at }),
  (situation, at) => ({ ...situation, tunnel: { up: true, at } }),
  (situation, at) => (situation.tunnel ? { ...situation, tunnel: { up: false, at } } : situation),
);
/** What people and the server itself do. Each may be the end of a session. */
const deedStep = fc.constantFrom<Step>(
  (situation, at) => ({ ...situation, startError: { at, message: 'The disk is full.' } }),
  (situation, at) => ({ ...situation, conflictAt: at }),
  (situation, at) => ({ ...situation, vanishedAt: at }),
  (situation, at) => ({ ...situation, forgottenAt: at }),
  (situation, at) => ({ ...situation, clearedAt: at }),
  ...(['owner', 'admin', 'culler'] as const).map((by): Step => (situation, at) => ({
    ...situation,
    stop: situation.stop ?? { at, by, wasReady: !!situation.app?.readyAt },
  })),
);
const reportStep = fc.oneof({ weight: 2, arbitrary: factStep }, ctrlStep, { weight: 2, arbitrary: gatewayStep });
const anyStep = fc.oneof({ weight: 5, arbitrary: reportStep }, deedStep);

/** Steps with the time that passes before each; 3 s and 60 s are limits of the state. */
const wait = fc.oneof(fc.nat(200), fc.constantFrom(2999, 3000, 3001, 59_999, 60_000, 60_001), fc.nat(200_000));
const history = (step: fc.Arbitrary<Step>): fc.Arbitrary<[wait: number, step: Step][]> =>
  fc.array(fc.tuple(wait, step), { maxLength: 12 });

function live(steps: [wait: number, step: Step][], from: { situation: Situation; now: number }): typeof from {
  return steps.reduce(
    ({ situation, now }, [pause, step]) => ({ situation: step(situation, now + pause), now: now + pause }),
    from,
  );
}
const birth = { situation: {}, now: 1_800_000_000_000 };
const machines =
  /\b(pods?|tunnels?|kubernetes|kubelet|containers?|sockets?|slurm|sbatch|agents?|spawner|gateway|pid|sig[a-z]+)\b/i;

test('every order of reports gives a state with words, and a cause exactly when it is an end', () => {
  fc.assert(
    fc.property(history(anyStep), wait, (steps, later) => {
      const { situation, now } = live(steps, birth);
      const derived = deriveState(situation, now + later);
      expect(SessionState.options).toContain(derived.state);
      expect(derived.words.trim()).not.toBe('');
      if (isEnd(derived.state)) expect(Cause.parse(derived.cause).words).toBe(derived.words);
      else expect(derived.cause).toBeNull();
    }),
    { numRuns: 2000 },
  );
});

test('an end stays an end, whatever is reported and however long it takes', () => {
  fc.assert(
    fc.property(history(anyStep), history(reportStep), (before, after) => {
      const from = live(before, birth);
      fc.pre(isEnd(deriveState(from.situation, from.now).state));
      const { situation, now } = live(after, from);
      expect(isEnd(deriveState(situation, now).state)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('an end that the site has reported keeps state and cause, whatever the site reports after it', () => {
  fc.assert(
    fc.property(history(anyStep), history(factStep), (before, after) => {
      const from = live(before, birth);
      fc.pre(from.situation.ended !== undefined);
      const { situation, now } = live(after, from);
      expect(deriveState(situation, now)).toEqual(deriveState(from.situation, from.now));
    }),
    { numRuns: 2000 },
  );
});

test('time alone changes a state only when it was told to be looked at again, and then at that moment', () => {
  fc.assert(
    fc.property(history(anyStep), fc.nat(), (steps, part) => {
      const { situation, now } = live(steps, birth);
      const { lookAgainAt, ...derived } = deriveState(situation, now);
      const same = (at: number): void => expect(deriveState(situation, at)).toMatchObject(derived);
      if (lookAgainAt === undefined) {
        same(now + part);
        return;
      }
      expect(lookAgainAt).toBeGreaterThan(now);
      same(now + (part % (lookAgainAt - now)));
      expect(deriveState(situation, lookAgainAt).state).not.toBe(derived.state);
    }),
    { numRuns: 2000 },
  );
});

test('words of machines never reach people by themselves', () => {
  for (const words of [...liveStates, ...endStates].map(stateWords)) expect(words).not.toMatch(machines);
  for (const words of CauseCode.options.map(causeWords)) expect(words).not.toMatch(machines);
  fc.assert(
    fc.property(history(anyStep), (steps) => {
      const { situation, now } = live(steps, birth);
      expect(deriveState(situation, now).words).not.toMatch(machines);
    }),
    { numRuns: 2000 },
  );
});
