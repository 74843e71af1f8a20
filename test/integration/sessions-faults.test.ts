// What goes wrong around sessions: keys used again, a server that closes half-way, sites that do not confirm, races.
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDatabase } from '../../server/db/open.ts';
import { makeHosts } from '../../server/sessions/hosts.ts';
import type { SessionRow } from '../../server/sessions/index.ts';
import { movableClock } from '../kit/clock.ts';
import { scriptedSessions, starter, type ScriptedSessions } from '../kit/scripted-sessions.ts';
import { until } from '../kit/until.ts';

let kit: ScriptedSessions;
const opened: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  kit = await scriptedSessions(['a.example', 'b.example', 'c.example']);
  opened.push(() => kit.close());
});
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

interface Gate {
  opened: Promise<void>;
  open(): void;
}
function gate(): Gate {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
const hour = 3_600_000;
const body = { profile: 'lab' };
const reaches = (id: string, is: (row: SessionRow) => boolean): Promise<SessionRow> =>
  until(async () => {
    const row = await kit.sessions.store.find(id);
    return row && is(row) ? row : undefined;
  }, `session ${id}`);
const runs = (row: SessionRow): boolean => row.state === 'starting';
const ended = (row: SessionRow): boolean => row.endedAt !== null;
async function started(key?: string): Promise<SessionRow> {
  const { session } = await kit.sessions.start(starter(), body, key);
  return await reaches(session.id, runs);
}
const countOf = async (table: 'sessions' | 'timeline' | 'idempotencyKeys'): Promise<number> =>
  (await kit.db.selectFrom(table).selectAll().execute()).length;
const isTaken = async (id: string): Promise<boolean> =>
  (await kit.db.selectFrom('hostUses').selectAll().where('sessionId', '=', id).execute())[0]?.freedAt === null;

test('a start that cannot be written whole leaves nothing, and the same key starts afterwards', async () => {
  for (const table of ['idempotency_keys', 'sessions', 'timeline']) {
    await sql`create trigger fault before insert on ${sql.table(table)} begin select raise(abort, 'disk full'); end`.execute(
      kit.db,
    );
    await expect(kit.sessions.start(starter(), body, 'a-click-of-ada')).rejects.toThrow();
    await sql`drop trigger fault`.execute(kit.db);
    expect([await countOf('sessions'), await countOf('idempotencyKeys'), await countOf('timeline')]).toEqual([0, 0, 0]);
    expect(await kit.db.selectFrom('hostUses').selectAll().execute()).toEqual([]);
  }
  const session = await started('a-click-of-ada');
  const { session: again, isNew } = await kit.sessions.start(starter(), body, 'a-click-of-ada');
  expect([again.id, isNew]).toEqual([session.id, false]);
});

test('a key is kept for a day and then forgotten', async () => {
  await started('a-click-of-ada');
  kit.clock.advance(24 * hour - 60_000);
  await kit.sessions.sweep();
  expect(await countOf('idempotencyKeys')).toBe(1);
  kit.clock.advance(2 * 60_000);
  await kit.sessions.sweep();
  expect(await countOf('idempotencyKeys')).toBe(0);
});

test('two people who start in the same moment never get the same name of the pool', async () => {
  const db = await openDatabase('sqlite::memory:');
  opened.push(() => db.destroy());
  const clock = movableClock();
  const pool = ['a.example', 'b.example', 'c.example', 'd.example'];
  const hosts = makeHosts(db, clock, 'localhost', pool);
  const people = ['u_1', 'u_2', 'u_3', 'u_4'];
  const first = await Promise.all(people.map((user) => hosts.allocate(`s-${user}`, user)));
  expect([...first].sort()).toEqual(pool);
  for (const user of people) await hosts.free(`s-${user}`);
  clock.advance(25 * hour);
  const strangers = ['u_5', 'u_6', 'u_7', 'u_8'];
  const second = await Promise.all(strangers.map((user) => hosts.allocate(`s-${user}`, user)));
  expect([...second].sort()).toEqual(pool);
  await expect(hosts.allocate('s-9', 'u_9')).rejects.toMatchObject({ code: 'site-unavailable' });
});

test('a server that closes during a stop leaves the session stopping, and the next one finishes it', async () => {
  const session = await started();
  let release = (): void => undefined;
  const asked = new Promise<void>((told) => {
    kit.spawner.beforeStop = () => {
      told();
      return new Promise((_resolve, reject) => (release = () => reject(new Error('the site is away'))));
    };
  });
  const stopped = kit.sessions.stopAndWait(session, 'owner');
  await asked;
  await kit.sessions.close();
  release();
  await stopped;
  expect(await kit.sessions.store.find(session.id)).toMatchObject({ state: 'stopping', endedAt: null });
  expect(await isTaken(session.id)).toBe(true);
  kit.spawner.beforeStop = () => Promise.resolve();
  await kit.restart();
  expect(await reaches(session.id, ended)).toMatchObject({ state: 'cancelled' });
  await until(async () => !(await isTaken(session.id)), 'the name is free');
  expect(kit.spawner.running.size).toBe(0);
});

test('a session of a site that is no longer configured is not called stopped, and its name stays taken', async () => {
  const session = await started();
  await kit.restart([]);
  await kit.sessions.stopAndWait(session, 'owner');
  expect(await kit.sessions.store.find(session.id)).toMatchObject({ state: 'stopping', endedAt: null });
  expect([kit.spawner.running.has(session.id), await isTaken(session.id)]).toEqual([true, true]);
  await kit.restart();
  await reaches(session.id, ended);
  await until(async () => !(await isTaken(session.id)), 'the name is free');
});

test('cleaning up that a closing server left undone is done by the next one', async () => {
  const session = await started();
  kit.spawner.beforeStop = () => Promise.reject(new Error('the site is away'));
  kit.spawner.end(session.id);
  await reaches(session.id, ended);
  await kit.sessions.close();
  kit.spawner.beforeStop = () => Promise.resolve();
  expect(await isTaken(session.id)).toBe(true);
  await kit.restart();
  await until(async () => !(await isTaken(session.id)), 'the name is free');
});

test("an ended session is deleted without waiting for anybody else's cleaning up", async () => {
  const [slow, quick] = [await started(), await started()];
  let release = (): void => undefined;
  kit.spawner.beforeStop = (id) => (id === slow.id ? new Promise((resolve) => (release = resolve)) : Promise.resolve());
  for (const { id } of [slow, quick]) kit.spawner.end(id);
  await kit.sessions.remove(await reaches(quick.id, ended));
  expect(await kit.sessions.store.find(quick.id)).toBeUndefined();
  let isRemoved = false;
  const removed = kit.sessions.remove(await reaches(slow.id, ended)).then(() => (isRemoved = true));
  await kit.sessions.store.find(slow.id);
  expect(isRemoved).toBe(false);
  release();
  await removed;
});

for (const when of ['just before the order', 'and has ended'] as const) {
  test(`a session that is cancelled while it is being handed over, ${when}, is never started`, async () => {
    const [token, confirmed] = [gate(), gate()];
    const { enrolments } = kit.sessions;
    const issue = enrolments.issue.bind(enrolments);
    enrolments.issue = async (id) => {
      await token.opened;
      return await issue(id);
    };
    kit.spawner.beforeStop = () => confirmed.opened;
    const { session } = await kit.sessions.start(starter(), body);
    const stopped = kit.sessions.stopAndWait(session, 'owner');
    await reaches(session.id, (row) => row.state === 'stopping');
    const order = when === 'and has ended' ? [confirmed, token] : [token, confirmed];
    order[0]!.open();
    if (when === 'and has ended') await stopped;
    order[1]!.open();
    await stopped;
    await kit.sessions.close(); // waits for what is being handed over
    expect(kit.spawner.started).toEqual([]);
    const row = () =>
      kit.db.selectFrom('enrolments').selectAll().where('sessionId', '=', session.id).executeTakeFirst();
    await kit.restart();
    const tombstone = await until(async () => ((await row())?.endedAt ? await row() : undefined), 'a tombstone');
    await expect(issue(session.id)).rejects.toMatchObject({ code: 'session-ended' });
    expect(await row()).toEqual(tombstone);
  });
}

test('a start at a site that is down is refused with its reason: site-unavailable', async () => {
  kit.spawner.health = { health: 'down', message: "Python '/nowhere' does not exist." };
  await expect(kit.sessions.start(starter(), body)).rejects.toMatchObject({
    code: 'site-unavailable',
    message: expect.stringContaining("Python '/nowhere' does not exist") as string,
  });
  kit.spawner.health = { health: 'ok', message: null };
  kit.clock.advance(6000);
  await started();
});
