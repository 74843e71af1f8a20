// What is known about a session -> its state, cause and words. One table for people to read; what holds for all is in
// state-properties.test.ts.
import { describe, expect, test } from 'vitest';
import { CauseCode, endStates, liveStates, type SessionState } from '../../../contract/states.ts';
import { agentExit } from '../../../contract/tunnel.ts';
import type { Situation } from '../../../server/sessions/situation.ts';
import { deriveState } from '../../../server/sessions/state.ts';
import { causeWords, stateWords } from '../../../server/sessions/words.ts';

const now = 1_800_000_000_000;
const seconds = (ago: number): number => now - ago * 1000;

const spawner = (kind: NonNullable<Situation['spawner']>['kind'], message?: string): Situation => ({
  orderedAt: seconds(9),
  spawner: { kind, at: seconds(8), ...(message === undefined ? {} : { message }) },
});
const up: Situation = { ...spawner('running'), enrolledAt: seconds(7), tunnel: { up: true, at: seconds(6) } };
const ready: Situation = { ...up, app: { phase: 'ready', at: seconds(5), readyAt: seconds(5) } };
const away = (milliseconds: number): { tunnel: NonNullable<Situation['tunnel']> } => ({
  tunnel: { up: false, at: now - milliseconds },
});
const stop = (by: 'owner' | 'admin' | 'culler', wasReady: boolean): Pick<Situation, 'stop'> => ({
  stop: { at: seconds(3), by, wasReady },
});
const exit = (
  told: NonNullable<Situation['ended']>['exit'],
  message?: string,
): { ended: NonNullable<Situation['ended']> } => ({
  ended: { at: seconds(1), exit: told, ...(message === undefined ? {} : { message }) },
});
const said = (
  cause: NonNullable<Situation['agentExit']>['cause'],
  message?: string,
): { agentExit: NonNullable<Situation['agentExit']> } => ({
  agentExit: { at: seconds(2), cause, code: null, signal: null, ...(message === undefined ? {} : { message }) },
});
const exited = exit({ cause: 'exited', code: 0 });

type Live = [sentence: string, situation: Situation, state: SessionState, words?: string];
const live: Live[] = [
  ['nothing is known yet', {}, 'checking'],
  ['it was ordered, the site has not said anything', { orderedAt: seconds(1) }, 'submitted'],
  ['the site has it', spawner('submitted'), 'submitted'],
  ['the site has accepted it', spawner('accepted'), 'accepted'],
  ['it waits in the queue', spawner('queued'), 'queued'],
  ['the site says why it waits', spawner('queued', 'Three are before you.'), 'queued', 'Three are before you.'],
  ['the machine boots', spawner('booting'), 'booting'],
  ['the software is loaded', spawner('preparing'), 'preparing'],
  ['it runs, the application has not called', spawner('running'), 'starting'],
  ['it enrolled just now', { ...spawner('running'), enrolledAt: now }, 'starting'],
  ['it enrolled not quite 3 s ago', { ...spawner('running'), enrolledAt: now - 2999 }, 'starting'],
  ['it enrolled 3 s ago and has not called since', { ...spawner('running'), enrolledAt: now - 3000 }, 'connecting'],
  ['it has called while the site still says queued', { ...up, ...spawner('queued') }, 'starting'],
  ['it has called, the application is silent', up, 'starting'],
  ['the application starts', { ...up, app: { phase: 'starting', at: seconds(5) } }, 'starting'],
  ['the application answers', ready, 'ready'],
  [
    'its time is up and it ends itself',
    { ...ready, app: { phase: 'ending', at: seconds(1), readyAt: seconds(5) } },
    'stopping',
    'The time is up: documents are saved, then the session ends.',
  ],
  ['contact is away for a moment', { ...ready, ...away(0) }, 'ready', 'Ready; contact is being restored.'],
  ['contact is away for not quite 60 s', { ...ready, ...away(59_999) }, 'ready', 'Ready; contact is being restored.'],
  ['contact is away for 60 s', { ...ready, ...away(60_000) }, 'lost'],
  ['contact broke off before ready', { ...up, ...away(59_999) }, 'connecting'],
  ['contact broke off before ready, 60 s ago', { ...up, ...away(60_000) }, 'lost'],
  ['somebody stops it', { ...ready, ...stop('owner', true) }, 'stopping'],
  ['somebody stops it while contact is lost', { ...ready, ...away(60_000), ...stop('owner', true) }, 'stopping'],
  ['somebody stops it before the site has it', { ...stop('owner', false) }, 'stopping'],
  [
    'the application has ended, the site has not confirmed it',
    { ...ready, ...said('app') },
    'stopping',
    'The application has ended; cleaning up.',
  ],
  [
    'the application has ended and contact is away',
    { ...ready, ...away(60_000), ...said('walltime') },
    'stopping',
    'The application has ended; cleaning up.',
  ],
  ['the site cleared something before anybody stopped it', { ...ready, clearedAt: seconds(1) }, 'ready'],
];

test.each(live)('while %s', (_sentence, situation, state, words) => {
  expect(deriveState(situation, now)).toMatchObject({ state, cause: null, words: words ?? stateWords(state) });
});

type End = [sentence: string, situation: Situation, state: SessionState, code: CauseCode, words?: string];
const everything: Situation = {
  ...ready,
  ...stop('owner', true),
  ...said('walltime'),
  ...exit({ cause: 'oom' }),
  clearedAt: seconds(1),
  vanishedAt: seconds(1),
  forgottenAt: seconds(1),
  startError: { at: seconds(1), message: 'No.' },
  conflictAt: seconds(1),
};
const { conflictAt: _conflict, ...noConflict } = everything;
const { startError: _startError, ...noStartError } = noConflict;
const { forgottenAt: _forgotten, ...notForgotten } = noStartError;
const { stop: _stop, ...notStopped } = notForgotten;
const { agentExit: _agentExit, ...agentSilent } = notStopped;
const { ended: _ended, ...onlyVanished } = agentSilent;

const precedence: End[] = [
  ['a key that was used twice is above all', everything, 'failed', 'enrolment-conflict'],
  ['then a start that failed', noConflict, 'failed', 'refused', 'It could not be started. No.'],
  ['then giving up', noStartError, 'failed', 'forgotten'],
  ['then a stop', notForgotten, 'stopped', 'by-owner'],
  ['then what the agent says', notStopped, 'finished', 'walltime'],
  ['then what the site saw', agentSilent, 'failed', 'oom'],
  ['then that the site knows nothing', onlyVanished, 'failed', 'vanished'],
];

const stops: End[] = [
  ['cancelled by its owner', { ...up, ...stop('owner', false), clearedAt: now }, 'cancelled', 'cancelled-by-owner'],
  ['stopped by its owner', { ...ready, ...stop('owner', true), clearedAt: now }, 'stopped', 'by-owner'],
  ['cancelled by an administrator', { ...up, ...stop('admin', false), clearedAt: now }, 'cancelled', 'by-admin'],
  ['stopped by an administrator', { ...ready, ...stop('admin', true), clearedAt: now }, 'stopped', 'by-admin'],
  ['cancelled as unused', { ...up, ...stop('culler', false), clearedAt: now }, 'cancelled', 'by-culler'],
  ['stopped as unused', { ...ready, ...stop('culler', true), clearedAt: now }, 'stopped', 'by-culler'],
  ['stopped, and the site saw the end first', { ...ready, ...stop('owner', true), ...exited }, 'stopped', 'by-owner'],
  [
    'stopped, whatever the end looked like',
    { ...ready, ...stop('owner', true), ...said('app-failed'), ...exit({ cause: 'oom' }) },
    'stopped',
    'by-owner',
  ],
];

const sawBySite: End[] = [
  ['the site ended it at its limit', { ...ready, ...exit({ cause: 'walltime' }) }, 'finished', 'walltime'],
  ['somebody ended it there', { ...ready, ...exit({ cause: 'cancelled' }) }, 'stopped', 'cancelled-outside'],
  ['it had to give way', { ...ready, ...exit({ cause: 'preempted' }) }, 'failed', 'preempted'],
  ['memory ran out', { ...ready, ...exit({ cause: 'oom', code: 86 }) }, 'failed', 'oom'],
  ['the machine failed', { ...ready, ...exit({ cause: 'nodeFailure' }) }, 'failed', 'node-failure'],
  ['the image is bad', { ...spawner('preparing'), ...exit({ cause: 'imageError' }) }, 'failed', 'image-error'],
  ['the site refuses it', { ...spawner('submitted'), ...exit({ cause: 'refused' }) }, 'failed', 'refused'],
  ['the site cannot tell', { ...ready, ...exit({ cause: 'unknown' }) }, 'failed', 'unknown'],
  [
    'the site adds words of its own; only the first line is for people',
    { ...ready, ...exit({ cause: 'nodeFailure' }, 'The machine was restarted.\nat 10:00 by hand') },
    'failed',
    'node-failure',
    `${causeWords('node-failure')} (The machine was restarted.)`,
  ],
];

const told = (cause: NonNullable<Situation['agentExit']>['cause'], message?: string): Situation => ({
  ...ready,
  ...said(cause, message),
  ...exit({ cause: 'oom' }),
});
const sawByAgent: End[] = [
  ['the application ended by itself', told('app'), 'finished', 'exited'],
  ['the application failed', told('app-failed'), 'failed', 'app-failed'],
  ['the application never answered', told('app-never-answered'), 'failed', 'app-never-answered'],
  [
    'the application cannot run here',
    told('refused', 'It is too old.'),
    'failed',
    'refused',
    'It could not be started. (It is too old.)',
  ],
  ['a signal at the site', told('stop'), 'stopped', 'cancelled-outside'],
  ['the time limit', told('walltime'), 'finished', 'walltime'],
  ['the longest time of the site', told('max-age'), 'finished', 'max-age'],
  ['no contact for too long', told('away'), 'finished', 'away'],
];

const status = (code: number): Situation => ({ ...ready, ...exit({ cause: 'exited', code }) });
const byStatus: End[] = [
  ['0', status(agentExit.app), 'finished', 'exited'],
  ['81', status(agentExit.stop), 'stopped', 'cancelled-outside'],
  ['82', status(agentExit.walltime), 'finished', 'walltime'],
  ['83', status(agentExit.maxAge), 'finished', 'max-age'],
  ['84', status(agentExit.away), 'finished', 'away'],
  ['85', status(agentExit.refused), 'failed', 'refused'],
  ['86', status(agentExit.appFailed), 'failed', 'app-failed'],
  ['87', status(agentExit.appNeverAnswered), 'failed', 'app-never-answered'],
  ['80, which is none of ours, after ready', status(80), 'failed', 'unknown'],
  ['88, which is none of ours, after ready', status(88), 'failed', 'unknown'],
  ['1 before ready', { ...up, ...exit({ cause: 'exited', code: 1 }) }, 'failed', 'app-failed'],
  ['none after ready', { ...ready, ...exit({ cause: 'exited', signal: 'SIGKILL' }) }, 'failed', 'unknown'],
  ['none before ready', { ...up, ...exit({ cause: 'exited', signal: 'SIGKILL' }) }, 'failed', 'app-failed'],
];

describe.each([
  ['what counts more:', precedence],
  ['a session is', stops],
  ['the site saw the end:', sawBySite],
  ['the agent outranks the site:', sawByAgent],
  ['the exit status tells the cause:', byStatus],
] as const)('%s', (_name, rows) => {
  test.each(rows)('%s', (_sentence, situation, state, code, words) => {
    const derived = deriveState(situation, now);
    expect(derived).toMatchObject({ state, cause: { code, words: words ?? causeWords(code) } });
    expect(derived.words).toBe(derived.cause!.words);
    expect(derived.lookAgainAt).toBeUndefined();
  });
});

test('the tables above name every state and every cause', () => {
  const ends = [precedence, stops, sawBySite, sawByAgent, byStatus].flat();
  expect(new Set(live.map(([, , state]) => state))).toEqual(new Set(liveStates));
  expect(new Set(ends.map(([, , state]) => state))).toEqual(new Set(endStates));
  expect(new Set(ends.map(([, , , code]) => code))).toEqual(new Set(CauseCode.options));
});

test('status and signal go with the cause, and only when they are known', () => {
  expect(deriveState(status(3), now).cause).toEqual({ code: 'unknown', words: causeWords('unknown'), exitCode: 3 });
  const killed = { ...ready, ...said('app-failed'), ...exit({ cause: 'exited', signal: 'SIGKILL' }) };
  expect(deriveState(killed, now).cause).toMatchObject({ code: 'app-failed', signal: 'SIGKILL' });
  expect(deriveState(killed, now).cause).not.toHaveProperty('exitCode');
});

test('the last lines of a failed application are pointed at, not quoted', () => {
  const words = (message: string): string =>
    deriveState({ ...up, ...said('app-failed', message), ...exit({ cause: 'exited', code: 86 }) }, now).words;
  expect(words('The application ended with status 3. Its last lines:\nTraceback\nOSError')).toBe(
    'The application ended with status 3. Its last lines are in the log.',
  );
  expect(words('The application ended with status 3. Its last lines:\n')).toBe('The application ended with status 3.');
  expect(words('')).toBe(causeWords('app-failed'));
});

test('contact that is away is looked at again when 60 s are over, a first contact after 3 s', () => {
  expect(deriveState({ ...ready, ...away(10_000) }, now).lookAgainAt).toBe(now + 50_000);
  expect(deriveState({ ...up, ...away(10_000) }, now).lookAgainAt).toBe(now + 50_000);
  expect(deriveState({ ...spawner('running'), enrolledAt: now - 1000 }, now).lookAgainAt).toBe(now + 2000);
});

test('a lost session that calls again is ready again', () => {
  expect(deriveState({ ...ready, ...away(600_000) }, now).state).toBe('lost');
  expect(deriveState({ ...ready, tunnel: { up: true, at: now } }, now)).toMatchObject({
    state: 'ready',
    words: stateWords('ready'),
  });
});
