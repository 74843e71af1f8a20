// The life of sessions through the API, on the real local site: start, stop, cancel, limits, events, a restart.
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ProfileView, SessionView } from '../../contract/api.ts';
import { packageRoot, testApp, type TestApp } from '../kit/app.ts';
import { readEvents } from '../kit/events.ts';
import type { Person } from '../kit/person.ts';
import { processesOf } from '../kit/processes.ts';
import { until } from '../kit/until.ts';

let site: TestApp;
let ada: Person;
beforeAll(async () => {
  site = await testApp({ profilesDir: path.join(packageRoot, 'test/kit/profiles'), quota: { sessionsPerUser: 4 } });
  ada = await site.person('ada');
});
afterAll(() => site.close());

const code = (answer: { status: number; json<T>(): T }): [number, unknown] => [
  answer.status,
  answer.json<Record<string, unknown>>()['code'],
];
const statesOf = (session: { timeline: { state: string }[] }): string[] => session.timeline.map((row) => row.state);

test('a session passes its states in order, is ready, and stops when it is told to', async () => {
  const started = await ada.start('quick');
  expect(started).toMatchObject({ state: 'checking', title: 'Quick', profile: { id: 'quick' }, cause: null });
  const ready = await ada.ready(started.id);
  expect(statesOf(ready)).toEqual(['checking', 'submitted', 'starting', 'ready']);
  expect(ready.readyAt).not.toBeNull();
  const times = ready.timeline.map((row) => Date.parse(row.at));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  const { lines } = (await ada.get(`/api/sessions/${ready.id}/log`)).json<{ lines: string[] }>();
  expect(lines.join('\n')).toContain('quick is up');
  const stopped = await ada.stop(ready.id);
  expect(stopped).toMatchObject({ state: 'stopped', cause: { code: 'by-owner' } });
  expect(stopped.endedAt).not.toBeNull();
  await until(() => processesOf(path.join(site.dataDir, 'sessions', ready.id)).length === 0, 'nothing is left');
});

test('what is refused names the field, the value or the limit', async () => {
  expect(code(await ada.post('/api/sessions', { profile: 'no-such' }))).toEqual([404, 'profile-unknown']);
  const wrong = await ada.post('/api/sessions', { profil: 'quick' });
  expect(code(wrong)).toEqual([400, 'bad-request']);
  expect(JSON.stringify(wrong.json())).toContain('profil');
  const title = await ada.post('/api/sessions', { profile: 'quick', title: 'x'.repeat(81) });
  expect(JSON.stringify(title.json<{ fields: unknown[] }>().fields)).toContain('title');
  expect(code(await ada.post('/api/sessions', { profile: 'quick', choices: { gpu: 4 } }))).toEqual([
    400,
    'bad-request',
  ]);
  expect(code(await ada.get('/api/sessions?limit=0'))).toEqual([400, 'bad-request']);
  expect(code(await ada.get('/api/sessions?after=nonsense'))).toEqual([400, 'bad-request']);
  expect(code(await ada.get('/api/nothing'))).toEqual([404, 'not-found']);
  const large = await ada.post('/api/sessions', { profile: 'quick', title: 'x'.repeat(70_000) });
  expect(code(large)).toEqual([413, 'body-too-large']);
  const text = await ada.client.ask(`${site.portal}/api/sessions`, {
    method: 'POST',
    headers: { origin: site.portal, 'content-type': 'text/plain' },
    body: '{"profile":"quick"}',
  });
  expect(code(text)).toEqual([400, 'bad-request']);
});

test('another origin cannot start or stop anything: origin-refused', async () => {
  for (const headers of [
    { origin: 'http://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
    { origin: `http://s-a.localhost:${site.port}` },
  ])
    expect(
      code(
        await ada.client.ask(`${site.portal}/api/sessions`, { method: 'POST', body: { profile: 'quick' }, headers }),
      ),
    ).toEqual([403, 'origin-refused']);
});

test('groups decide what is listed, and again what may be started', async () => {
  const cora = await site.person('cora');
  const ids = async (person: Person): Promise<string[]> =>
    (await person.get('/api/profiles')).json<{ items: ProfileView[] }>().items.map((profile) => profile.id);
  expect(await ids(ada)).toContain('hpc');
  expect(await ids(cora)).not.toContain('hpc');
  expect(code(await cora.post('/api/sessions', { profile: 'hpc' }))).toEqual([404, 'profile-unknown']);
});

test('an application that dies at its start fails the session, with its last lines in the log', async () => {
  const ended = await ada.ended((await ada.start('dies')).id);
  expect(ended).toMatchObject({ state: 'failed', cause: { code: 'app-failed' } });
  const { lines } = (await ada.get(`/api/sessions/${ended.id}/log`)).json<{ lines: string[] }>();
  expect(lines.join('\n')).toMatch(/first line[\s\S]*the disk is full/);
  expect(ended.words).toBe('The application ended with status 3 before it answered. Its last lines are in the log.');
  expect(JSON.stringify(ended.timeline.map((row) => row.raw))).toContain('the disk is full');
});

test('an application that never answers fails the session after its time', async () => {
  const ended = await ada.ended((await ada.start('silent')).id);
  expect(ended).toMatchObject({ state: 'failed', cause: { code: 'app-never-answered' } });
});

test('a program that does not exist is named', async () => {
  const ended = await ada.ended((await ada.start('missing')).id);
  expect(ended.state).toBe('failed');
  expect(ended.cause!.words).toContain('there-is-no-such-program');
});

test('a session ends at its time limit, and says so', async () => {
  const started = await ada.start('brief');
  const ended = await ada.ended(started.id);
  expect(ended).toMatchObject({ state: 'finished', cause: { code: 'walltime' } });
});

test('cancel while it starts: cancelled, not stopped, and nothing is left', async () => {
  const started = await ada.start('slow');
  await ada.reaches(started.id, (session) => session.state === 'starting');
  expect((await ada.post(`/api/sessions/${started.id}/stop`)).status).toBe(202);
  expect(await ada.ended(started.id)).toMatchObject({ state: 'cancelled', cause: { code: 'cancelled-by-owner' } });
  await until(() => processesOf(path.join(site.dataDir, 'sessions', started.id)).length === 0, 'nothing is left');
});

test('cancel at once, in the same moment as the start, leaves nothing either', async () => {
  for (let round = 0; round < 5; round++) {
    const started = await ada.start('slow');
    await ada.post(`/api/sessions/${started.id}/stop`);
    expect(await ada.ended(started.id)).toMatchObject({ state: 'cancelled' });
    await until(() => processesOf(path.join(site.dataDir, 'sessions', started.id)).length === 0, 'nothing is left');
  }
});

test('two stops at once are one; a stop of an ended session is refused: session-ended', async () => {
  const { id } = await ada.start('quick');
  await ada.ready(id);
  const answers = await Promise.all([1, 2, 3].map(() => ada.post(`/api/sessions/${id}/stop`)));
  expect(answers.map((answer) => answer.status)).toContain(202);
  for (const answer of answers) expect([202, 410]).toContain(answer.status);
  const ended = await ada.ended(id);
  expect(statesOf(ended).filter((state) => state === 'stopping')).toHaveLength(1);
  expect(code(await ada.post(`/api/sessions/${id}/stop`))).toEqual([410, 'session-ended']);
});

test('only ended sessions can be deleted, only lost ones given up; what is deleted is gone', async () => {
  const { id } = await ada.start('quick');
  expect(code(await ada.delete(`/api/sessions/${id}`))).toEqual([409, 'session-not-ended']);
  expect(code(await ada.post(`/api/sessions/${id}/forget`))).toEqual([409, 'session-not-ended']);
  await ada.stop(id);
  expect((await ada.delete(`/api/sessions/${id}`)).status).toBe(204);
  expect(code(await ada.get(`/api/sessions/${id}`))).toEqual([404, 'session-not-found']);
  expect(code(await ada.delete(`/api/sessions/${id}`))).toEqual([404, 'session-not-found']);
});

test('the quota holds for starts in the same moment: quota-sessions', async () => {
  const bela = await site.person('bela');
  const answers = await Promise.all(Array.from({ length: 8 }, () => bela.post('/api/sessions', { profile: 'slow' })));
  expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([
    201, 201, 201, 201, 409, 409, 409, 409,
  ]);
  const refused = answers.find((answer) => answer.status === 409)!;
  expect(code(refused)).toEqual([409, 'quota-sessions']);
  expect(refused.text).toContain('4');
  const { items } = (await bela.get('/api/sessions')).json<{ items: SessionView[] }>();
  for (const { id } of items) await bela.stop(id);
  expect((await bela.post('/api/sessions', { profile: 'slow' })).status).toBe(201);
  for (const { id, state } of (await bela.get('/api/sessions')).json<{ items: SessionView[] }>().items)
    if (state !== 'cancelled') await bela.stop(id);
});

test('the same Idempotency-Key starts once; with another body it is idempotency-conflict', async () => {
  const key = { 'idempotency-key': 'a-click-of-ada-1' };
  const first = await ada.post('/api/sessions', { profile: 'slow' }, key);
  const again = await ada.post('/api/sessions', { profile: 'slow' }, key);
  expect([first.status, again.status]).toEqual([201, 200]);
  expect(again.json<SessionView>().id).toBe(first.json<SessionView>().id);
  expect(code(await ada.post('/api/sessions', { profile: 'quick' }, key))).toEqual([422, 'idempotency-conflict']);
  const bela = await site.person('bela');
  const other = await bela.post('/api/sessions', { profile: 'slow' }, key);
  expect(other.json<SessionView>().id).not.toBe(first.json<SessionView>().id);
  await bela.stop(other.json<SessionView>().id);
  await ada.stop(first.json<SessionView>().id);
});

test('events tell my changes with growing ids, nobody else gets them, and none is lost over a gap', async () => {
  const bela = await site.person('bela');
  const [mine, theirs] = [await readEvents(ada, site.port), await readEvents(bela, site.port)];
  const { id } = await ada.start('quick');
  await until(() => mine.got.some(({ data }) => data.session?.state === 'ready'), 'ready');
  const ids = mine.got.map((event) => Number(event.id));
  expect(ids).toEqual([...ids].sort((a, b) => a - b));
  mine.close();
  await ada.stop(id);
  const later = await readEvents(ada, site.port, ids.at(-1));
  await until(() => later.got.some(({ data }) => data.session?.state === 'stopped'), 'what was missed');
  expect(Number(later.got[0]!.id)).toBeGreaterThan(ids.at(-1)!);
  expect(theirs.got).toEqual([]);
  theirs.close();
  later.close();
});

test('an event stream ends when its login ends', async () => {
  const person = await site.person('ada');
  const events = await readEvents(person, site.port);
  const { loginId } = (await person.get('/api/me')).json<{ loginId: string }>();
  await ada.delete(`/api/logins/${loginId}`);
  await events.ended;
  expect((await readEvents(person, site.port)).status).toBe(401);
});

test('lists come in pages, newest first', async () => {
  const ids: string[] = [];
  for (let count = 0; count < 3; count++) ids.unshift((await ada.ended((await ada.start('dies')).id)).id);
  const pages: string[] = [];
  let next: string | null = '';
  for (let page = 0; page < 3 && next !== null; page++) {
    const path: string = `/api/sessions?limit=1${next === '' ? '' : `&after=${next}`}`;
    const answer = (await ada.get(path)).json<{
      items: SessionView[];
      next: string | null;
    }>();
    pages.push(...answer.items.map((item) => item.id));
    next = answer.next;
  }
  expect(pages).toEqual(ids);
});

test('a restart of the server leaves sessions running and finds them; what ended meanwhile is known', async () => {
  const [stays, ends] = [await ada.start('quick'), await ada.start('quick')];
  await Promise.all([ada.ready(stays.id), ada.ready(ends.id)]);
  await site.app.close();
  for (const pid of processesOf(path.join(site.dataDir, 'sessions', ends.id))) {
    try {
      process.kill(pid, 'SIGTERM');
    } catch {
      // it ended with another
    }
  }
  await until(() => processesOf(path.join(site.dataDir, 'sessions', ends.id)).length === 0, 'the end of one');
  await site.reopen();
  const back = await ada.reaches(stays.id, (session) => session.state === 'ready' && session.words === 'Ready.');
  expect(back.jobId).toBe((await ada.session(stays.id)).jobId);
  expect((await ada.enter(stays.url)).text).toBe('ok');
  expect(await ada.ended(ends.id)).toMatchObject({ endedAt: expect.any(String) as string });
  await ada.stop(stays.id);
});

test('readyz and healthz answer; metrics need their token', async () => {
  expect((await ada.get('/healthz')).status).toBe(200);
  expect((await ada.get('/readyz')).status).toBe(200);
  expect((await ada.get('/metrics')).status).toBe(404);
});
