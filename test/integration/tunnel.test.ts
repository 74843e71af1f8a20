// Enrolment and tunnels of a whole server: tokens, keys, conflicts, ends, and what the person sees of them.
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Problem } from '../../contract/errors.ts';
import { testApp, type TestApp } from '../kit/app.ts';
import type { Answer } from '../kit/http.ts';
import type { Person } from '../kit/person.ts';
import { enrol, hashOf, openTunnel, refusedTunnel, type AgentEnd } from '../kit/tunnel-agent.ts';
import { place, type Place } from '../kit/tunnel-session.ts';
import { until } from '../kit/until.ts';

let site: TestApp;
let ada: Person;
let userId: string;
let rows: Place;
const ends: AgentEnd[] = [];
beforeAll(async () => {
  site = await testApp();
  rows = await place(site);
  ada = await site.person('ada');
  ({ id: userId } = await rows.db.selectFrom('users').select('id').executeTakeFirstOrThrow());
});
afterEach(() => ends.splice(0).forEach((end) => end.close()));
afterAll(async () => {
  await rows?.close();
  await site?.close();
});

const newKey = (): string => randomBytes(32).toString('base64url');
const refusal = (answer: Answer): [number, string] => [answer.status, answer.json<Problem>().code];
const audited = (sessionId: string) =>
  rows.db.selectFrom('audit').selectAll().where('sessionId', '=', sessionId).execute();

/** What the gateway has reported of a session, oldest first. */
const gatewayEvents = async (sessionId: string): Promise<string[]> =>
  (
    await rows.db
      .selectFrom('facts')
      .select('body')
      .where('sessionId', '=', sessionId)
      .where('source', '=', 'gateway')
      .where('drainedAt', 'is not', null)
      .orderBy('id')
      .execute()
  ).map(({ body }) => (JSON.parse(body) as { event: string }).event);

/** A session whose agent has enrolled. */
async function enrolled(at = 'this-machine'): Promise<{ id: string; token: string; key: string }> {
  const session = await rows.session(userId, at);
  const key = newKey();
  const answer = await enrol(site.port, { token: session.token, keyHash: hashOf(key) });
  expect(answer.status).toBe(200);
  return { ...session, key };
}

/** A session whose tunnel is up and whose app is ready. */
async function ready(at = 'this-machine'): Promise<{ id: string; token: string; key: string; end: AgentEnd }> {
  const { id, token, key } = await enrolled(at);
  const end = await openTunnel(site.port, { key });
  ends.push(end);
  end.hello();
  end.say({ kind: 'phase', phase: 'ready', at: site.clock.now() });
  await ada.ready(id);
  return { id, token, key, end };
}

/** Stops a session whose agent does not end by itself: the server need not wait for it in real time. */
async function stopped(id: string): Promise<void> {
  await ada.post(`/api/sessions/${id}/stop`);
  await until(async () => {
    site.clock.advance(5000);
    return (await ada.session(id)).endedAt !== null;
  }, 'the session has ended');
}

describe('enrolment', () => {
  test('a token gives session and epoch, the same key again gets the same answer, and only hashes are kept', async () => {
    const { id, token } = await rows.session(userId);
    const key = newKey();
    const ask = () => enrol(site.port, { token, keyHash: hashOf(key) });
    const answer = await ask();
    expect([answer.status, answer.json()]).toEqual([200, { session: id, epoch: 1 }]);
    expect(answer.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
    const again = await ask();
    expect([again.status, again.text]).toEqual([200, answer.text]);
    const row = await rows.db
      .selectFrom('enrolments')
      .selectAll()
      .where('sessionId', '=', id)
      .executeTakeFirstOrThrow();
    expect([row.tokenHash, row.keyHash]).toEqual([hashOf(token), hashOf(key)]);
    expect((await ada.session(id)).cause).toBeNull();
    (await openTunnel(site.port, { key })).close();
    expect(site.logged.filter((line) => line.includes(token) || line.includes(key))).toEqual([]);
  });

  test('without a tunnel in good time the person sees that the session is connecting', async () => {
    const { id } = await enrolled();
    site.clock.advance(4000);
    await ada.reaches(id, (session) => session.state === 'connecting');
  });

  test('a token that was never issued is refused: enrolment-unknown', async () => {
    const { id, token } = await rows.session(userId);
    const wrong = token.startsWith('A') ? `B${token.slice(1)}` : `A${token.slice(1)}`;
    for (const bad of [wrong, hashOf(token), `${token}A`])
      expect(refusal(await enrol(site.port, { token: bad, keyHash: hashOf('k') }))).toEqual([401, 'enrolment-unknown']);
    const answer = await enrol(site.port, { token, keyHash: hashOf(newKey()) });
    expect(answer.json()).toEqual({ session: id, epoch: 1 });
  });

  test('another key for a used token: enrolment-conflict, the session fails, both are cut, and it is audited', async () => {
    const { id, token, key, end } = await ready();
    const thief = newKey();
    const answer = await enrol(site.port, { token, keyHash: hashOf(thief) });
    expect(refusal(answer)).toEqual([409, 'enrolment-conflict']);
    expect(await ada.ended(id)).toMatchObject({ state: 'failed', cause: { code: 'enrolment-conflict' } });
    expect((await end.closed).reason).toBe('the session has ended');
    expect((await audited(id)).map(({ action }) => action)).toEqual(['enrolment-conflict']);
    expect(await refusedTunnel(site.port, { key })).toEqual([410, 'session-ended']);
    expect(await refusedTunnel(site.port, { key: thief })).toEqual([401, 'tunnel-key-unknown']);
    // From now on it is over for everybody, the first agent too.
    for (const one of [key, thief])
      expect(refusal(await enrol(site.port, { token, keyHash: hashOf(one) }))).toEqual([410, 'session-ended']);
  });

  test('two agents with one token at the same moment: one is let in, and the session fails', async () => {
    const { id, token } = await rows.session(userId);
    const answers = await Promise.all([1, 2].map(() => enrol(site.port, { token, keyHash: hashOf(newKey()) })));
    const codes = answers.map(({ status }) => status).sort((a, b) => a - b);
    expect(codes).toEqual([200, 409]);
    expect(await ada.ended(id)).toMatchObject({ state: 'failed', cause: { code: 'enrolment-conflict' } });
  });

  test('of two who find a token unused at the same time only one gets it', async () => {
    const { id, token } = await rows.session(userId);
    const keys = [newKey(), newKey()].map(hashOf);
    const asked = await Promise.allSettled(keys.map((keyHash) => rows.enrolments.enrol(token, keyHash)));
    expect(asked.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const winner = keys[asked.findIndex(({ status }) => status === 'fulfilled')]!;
    const loser = keys.find((key) => key !== winner)!;
    expect(await rows.enrolments.find(winner)).toEqual({ session: id, epoch: 1 });
    expect(await rows.enrolments.find(loser)).toBeUndefined();
  });

  test('the token of a session that has ended is refused: session-ended', async () => {
    const { id, token } = await rows.session(userId);
    await stopped(id);
    await until(
      async () => (await enrol(site.port, { token, keyHash: hashOf('k') })).status === 410,
      'the token is a tombstone',
    );
    const answer = await enrol(site.port, { token, keyHash: hashOf('k') });
    expect(refusal(answer)).toEqual([410, 'session-ended']);
    expect((await ada.session(id)).cause).toMatchObject({ code: 'cancelled-by-owner' });
  });

  const token = 't'.repeat(32);
  const keyHash = hashOf('k');
  test.each<[string, Record<string, unknown> | string, string | undefined]>([
    ['no JSON', '{x', undefined],
    ['nothing', '', undefined],
    ['a list', '[]', undefined],
    ['no token', { keyHash }, 'token'],
    ['no key', { token }, 'keyHash'],
    ['a token that is too short', { token: 't'.repeat(31), keyHash }, 'token'],
    ['a token that is too long', { token: 't'.repeat(129), keyHash }, 'token'],
    ['a token that is no text', { token: 12, keyHash }, 'token'],
    ['a key hash in upper case', { token, keyHash: keyHash.toUpperCase() }, 'keyHash'],
    ['a key hash that is too short', { token, keyHash: keyHash.slice(1) }, 'keyHash'],
    ['a key hash with a line after it', { token, keyHash: `${keyHash}\n` }, 'keyHash'],
  ])('%s is refused: bad-request', async (_name, body, field) => {
    const answer = await enrol(site.port, body);
    expect(refusal(answer)).toEqual([400, 'bad-request']);
    if (field !== undefined) expect(answer.json<Problem>().fields!.map(({ path }) => path)).toEqual([field]);
  });

  test('a body may have 4 KiB and not one byte more; only POST enrols', async () => {
    const body = JSON.stringify({ token, keyHash });
    expect(refusal(await enrol(site.port, body.padEnd(4096)))).toEqual([401, 'enrolment-unknown']);
    expect(refusal(await enrol(site.port, body.padEnd(4097)))).toEqual([413, 'body-too-large']);
    expect(refusal(await enrol(site.port, '', 'GET'))).toEqual([405, 'method-not-allowed']);
    expect(refusal(await enrol(site.port, body, 'PUT'))).toEqual([405, 'method-not-allowed']);
  });
});

describe('tunnels', () => {
  test('the person sees each step: starting, ready, contact being restored, ready again', async () => {
    const { id, key } = await enrolled();
    const first = await openTunnel(site.port, { key });
    ends.push(first);
    first.hello();
    first.say({ kind: 'phase', phase: 'starting', at: site.clock.now() });
    await first.settled();
    expect((await ada.session(id)).state).toBe('starting');
    first.say({ kind: 'phase', phase: 'ready', at: site.clock.now() });
    await ada.ready(id);
    first.close();
    await ada.reaches(id, ({ words }) => words === 'Ready; contact is being restored.');
    const second = await openTunnel(site.port, { key });
    ends.push(second);
    second.hello();
    const again = await ada.reaches(id, ({ words }) => words === 'Ready.');
    expect(again.state).toBe('ready');
  });

  test('a second tunnel of the same agent replaces the first, and the session stays ready', async () => {
    const { id, key, end } = await ready();
    const next = await openTunnel(site.port, { key });
    ends.push(next);
    next.hello();
    expect((await end.closed).code).toBe(1001);
    await until(async () => (await gatewayEvents(id)).length >= 3, 'the second is up');
    await next.settled();
    expect(await gatewayEvents(id)).toEqual(['enrolled', 'up', 'up']);
    expect((await ada.session(id)).words).toBe('Ready.');
    expect(next.isOpen).toBe(true);
  });

  test('stop is told to the agent; when the session has ended its tunnel is closed and its key is refused', async () => {
    const { id, key, end } = await ready();
    await ada.post(`/api/sessions/${id}/stop`);
    await until(() => end.heard().length > 0, 'CTRL');
    expect(end.heard()).toEqual([{ kind: 'stop', graceSeconds: 10 }]);
    await stopped(id);
    expect(await end.closed).toEqual({ code: 1000, reason: 'the session has ended' });
    expect(await refusedTunnel(site.port, { key })).toEqual([410, 'session-ended']);
  });

  test('a key outlives a restart of the server; the session is ready again when its agent has dialled', async () => {
    // Of its own site the server would hear that no such process runs.
    const { id, key, end } = await ready('a-site-of-before');
    await site.app.close();
    expect((await end.closed).code).toBe(1001);
    await site.reopen();
    await ada.reaches(id, ({ words }) => words === 'Ready; contact is being restored.');
    const next = await openTunnel(site.port, { key });
    ends.push(next);
    next.hello();
    await ada.reaches(id, ({ words }) => words === 'Ready.');
  });

  test('keys are checked by this server too: unknown, lower epoch, wrong form', async () => {
    const { id, key } = await enrolled();
    expect(await refusedTunnel(site.port, { key: newKey() })).toEqual([401, 'tunnel-key-unknown']);
    await rows.db.updateTable('enrolments').set({ epoch: 2 }).where('sessionId', '=', id).execute();
    expect(await refusedTunnel(site.port, { key })).toEqual([409, 'epoch-superseded']);
    expect(await refusedTunnel(site.port, { key, protocols: [] })).toEqual([400, 'tunnel-protocol']);
    (await openTunnel(site.port, { key, epoch: '2' })).close();
    const page = await ada.get('/tunnel/v1');
    expect(refusal(page)).toEqual([400, 'tunnel-protocol']);
  });

  test('another Host than that of agents has no tunnel and no enrolment', async () => {
    const { key } = await enrolled();
    expect(await refusedTunnel(site.port, { key, headers: { host: `evil.example:${site.port}` } })).toEqual([
      421,
      'host-unknown',
    ]);
    const [status] = await refusedTunnel(site.port, { key, headers: { host: `s-aaaa.localhost:${site.port}` } });
    expect(status).toBeGreaterThanOrEqual(400);
  });
});
