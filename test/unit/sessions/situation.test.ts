// What spawners and agents report is merged: an unknown answer says nothing, first times and ends are kept.
import { expect, test } from 'vitest';
import type { AgentCtrl } from '../../../contract/tunnel.ts';
import { mergeCtrl, mergeFact, type Situation } from '../../../server/sessions/situation.ts';
import { deriveState } from '../../../server/sessions/state.ts';
import type { Fact } from '../../../server/spawner/spawner.ts';

const fact = (kind: Fact['kind'], at: number, more: Partial<Fact> = {}): Fact => ({
  sessionId: 'aaaaaaaaaaaaaaaa',
  kind,
  at,
  ...more,
});
const phase = (name: 'starting' | 'ready' | 'ending', at: number): AgentCtrl => ({ kind: 'phase', phase: name, at });
const exit = (cause: 'walltime' | 'app', at: number, message?: string): AgentCtrl => ({
  kind: 'exit',
  cause,
  at,
  code: 0,
  signal: null,
  ...(message === undefined ? {} : { message }),
});

test('an answer that is unknown changes nothing, whatever was known before', () => {
  for (const before of [{}, mergeFact({}, fact('queued', 1)), mergeFact({}, fact('ended', 1))])
    expect(mergeFact(before, fact('unknown', 2, { message: 'no answer in 20 s' }))).toBe(before);
});

test('the latest fact of a site counts, with its own reason, message and estimate', () => {
  const queued = mergeFact({}, fact('queued', 1, { reason: 'Priority', message: 'Two are before you.', estimate: 5 }));
  expect(queued.spawner).toEqual({
    kind: 'queued',
    at: 1,
    reason: 'Priority',
    message: 'Two are before you.',
    estimate: 5,
  });
  expect(mergeFact(queued, fact('booting', 2)).spawner).toEqual({ kind: 'booting', at: 2 });
});

test('the end that a site reported first stays', () => {
  const ended = mergeFact({}, fact('ended', 1, { exit: { cause: 'oom' }, message: 'first' }));
  expect(ended.ended).toEqual({ at: 1, exit: { cause: 'oom' }, message: 'first' });
  expect(mergeFact(ended, fact('ended', 2, { exit: { cause: 'exited', code: 0 } }))).toBe(ended);
  expect(mergeFact(ended, fact('running', 3))).toBe(ended);
});

test('an end without a reason is an end with an unknown cause', () => {
  expect(mergeFact({}, fact('ended', 1)).ended).toEqual({ at: 1, exit: { cause: 'unknown' } });
});

test('when it began to run is kept, also when a site tells it again after a restart', () => {
  const running = mergeFact(mergeFact({}, fact('running', 10)), fact('running', 20));
  expect(running).toMatchObject({ runningAt: 10, spawner: { at: 20 } });
});

test('when the application started and first answered is kept over new tunnels', () => {
  const told = [phase('starting', 10), phase('ready', 12), phase('starting', 30), phase('ready', 32)];
  const situation = told.reduce<Situation>(mergeCtrl, {});
  expect(situation.app).toEqual({ phase: 'ready', at: 32, startingAt: 10, readyAt: 12 });
  expect(mergeCtrl(situation, phase('ending', 40)).app).toEqual({
    phase: 'ending',
    at: 40,
    startingAt: 10,
    readyAt: 12,
  });
});

test('the exit that an agent told first stays, with its message', () => {
  const told = mergeCtrl({}, exit('walltime', 1, 'over'));
  expect(told.agentExit).toEqual({ at: 1, cause: 'walltime', code: 0, signal: null, message: 'over' });
  expect(mergeCtrl(told, exit('app', 2))).toBe(told);
});

test('facts and log lines of an agent change nothing', () => {
  const before: Situation = { orderedAt: 1 };
  expect(mergeCtrl(before, { kind: 'facts', facts: { gpu: 1 } })).toBe(before);
  expect(mergeCtrl(before, { kind: 'log', lines: ['a'] })).toBe(before);
});

test('what was known is not changed in place', () => {
  const before: Situation = Object.freeze({ orderedAt: 1, app: Object.freeze({ phase: 'starting' as const, at: 1 }) });
  mergeFact(before, fact('running', 2));
  mergeFact(before, fact('ended', 2));
  mergeCtrl(before, phase('ready', 2));
  mergeCtrl(before, exit('app', 2));
  expect(before).toEqual({ orderedAt: 1, app: { phase: 'starting', at: 1 } });
});

test('the agent and the site tell the same end in either order', () => {
  const [site, agent] = [fact('ended', 5, { exit: { cause: 'exited', code: 82 } }), exit('walltime', 4)];
  const one = mergeCtrl(mergeFact({}, site), agent);
  const other = mergeFact(mergeCtrl({}, agent), site);
  expect(deriveState(one, 9)).toEqual(deriveState(other, 9));
  expect(deriveState(one, 9)).toMatchObject({ state: 'finished', cause: { code: 'walltime' } });
});
