// When the IAM is asked again about a login, how often, and what its silence means.
import { expect, test } from 'vitest';
import { parallel } from '../../../server/auth/recheck.ts';
import { testLogins } from '../../kit/logins.ts';
import { until } from '../../kit/until.ts';

const minute = 60_000;
const hour = 60 * minute;
const many = <T>(count: number, make: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, make));

test('many requests at once ask the IAM once, and each refresh token is used once', async () => {
  const { logins, login, clock, iam } = await testLogins();
  const { id } = await login();
  for (let rounds = 0; rounds < 3; rounds++) {
    clock.advance(15 * minute);
    expect(await many(20, () => logins.isValid(id))).not.toContain(false);
  }
  expect(iam.used).toHaveLength(3);
  expect(new Set(iam.used).size).toBe(3);
});

test('before the time to recheck nobody is asked', async () => {
  const { logins, login, clock, iam } = await testLogins();
  const { id } = await login();
  clock.advance(14 * minute);
  expect(await logins.isValid(id)).toBe(true);
  expect(iam.used).toEqual([]);
});

test('after a failure the row answers for 5 s at least, and the IAM is asked again within a minute', async () => {
  const { logins, login, clock, iam } = await testLogins();
  const { id } = await login();
  iam.mode = 'fails';
  clock.advance(15 * minute);
  expect(await logins.isValid(id)).toBe(true);
  clock.advance(4900);
  expect(await many(5, () => logins.isValid(id))).not.toContain(false);
  expect(iam.used).toHaveLength(1);
  for (let failures = 2; failures < 10; failures++) {
    clock.advance(minute);
    expect(await logins.isValid(id)).toBe(true);
    expect(iam.used).toHaveLength(failures);
  }
  iam.mode = 'answers';
  iam.groups = [];
  clock.advance(minute);
  expect(await logins.isValid(id)).toBe(false);
});

test('a refresh that hangs is waited for once, and the next requests are answered from the row while it runs', async () => {
  const { logins, login, clock, iam } = await testLogins();
  const { id } = await login();
  iam.mode = 'silence';
  clock.advance(15 * minute);
  expect(await logins.isValid(id)).toBe(true);
  const began = performance.now();
  expect(await many(20, () => logins.isValid(id))).not.toContain(false);
  expect(performance.now() - began).toBeLessThan(500);
  expect(iam.used).toHaveLength(1);
  iam.release();
});

test('the IAM is silent for longer than the limit: the login does not count, and its sockets are told once', async () => {
  const { logins, login, clock, iam, ended, db } = await testLogins();
  const { id } = await login();
  await db
    .updateTable('logins')
    .set({ seenAt: clock.now() + 24 * hour })
    .execute(); // in use all the time
  iam.mode = 'fails';
  clock.advance(24 * hour - minute);
  expect(await logins.isValid(id)).toBe(true);
  clock.advance(minute);
  expect(await logins.isValid(id)).toBe(false);
  await logins.sweep();
  await logins.sweep();
  expect(ended).toEqual([{ loginId: id, reason: 'iam-silent' }]);
  iam.mode = 'answers';
  clock.advance(minute);
  expect(await logins.isValid(id)).toBe(true);
});

test('a sweep finds a lost group of somebody who only has an open socket, and leaves logins that nobody uses alone', async () => {
  const { logins, login, entry, clock, iam, ended, db } = await testLogins();
  const [watching, away] = [await login(), await login()];
  await entry(watching);
  iam.groups = [];
  clock.advance(3 * hour);
  await logins.sweep();
  expect(ended).toEqual([{ loginId: watching.id, reason: 'no-longer-allowed' }]);
  expect(iam.used).toHaveLength(1);
  const left = await db.selectFrom('logins').select('id').where('endedAt', 'is', null).execute();
  expect(left).toEqual([{ id: away.id }]);
});

test('sweeps each minute find a lost group within the time to recheck', async () => {
  const { logins, login, entry, clock, iam, ended } = await testLogins();
  await entry(await login());
  iam.groups = [];
  for (let minutes = 0; minutes < 15; minutes++) {
    clock.advance(minute);
    await logins.sweep();
  }
  expect(ended).toMatchObject([{ reason: 'no-longer-allowed' }]);
});

test('a sweep asks a few at a time, and gives up when none of them gets an answer', async () => {
  const { logins, login, clock, iam } = await testLogins();
  await many(3 * parallel, login);
  iam.mode = 'silence';
  clock.advance(15 * minute);
  const sweep = logins.sweep();
  await until(() => iam.used.length === parallel, 'the first questions');
  iam.release();
  await sweep;
  expect([iam.used.length, iam.most]).toEqual([parallel, parallel]);
});

test('logins that always fail do not keep the others from being asked', async () => {
  const { logins, login, clock, iam, db } = await testLogins();
  const people = await many(3 * parallel, login);
  iam.mode = 'fails';
  clock.advance(15 * minute);
  for (let sweeps = 0; sweeps < 3; sweeps++) await logins.sweep();
  expect(new Set(iam.used).size).toBe(people.length);
  iam.mode = 'answers';
  clock.advance(minute);
  await logins.sweep();
  const asked = await db
    .selectFrom('logins')
    .select('id')
    .where('iamOkAt', '>', clock.now() - minute)
    .execute();
  expect(asked).toHaveLength(people.length);
});

test('there is one sweep at a time', async () => {
  const { logins, login, clock, iam } = await testLogins();
  await login();
  iam.mode = 'silence';
  clock.advance(15 * minute);
  const first = logins.sweep();
  await until(() => iam.used.length === 1, 'the question');
  const second = logins.sweep();
  expect(second).toBe(first);
  iam.release();
  await first;
  expect(iam.used).toHaveLength(1);
});

test('a login without a refresh token is not asked about', async () => {
  const { logins, login, clock, iam, db } = await testLogins();
  const { id } = await login();
  await db.deleteFrom('logins').execute();
  const { user } = await login();
  const answer = { claims: { iss: user.iss, sub: user.sub }, tokens: { accessToken: 'a' } };
  const frozen = await logins.create(user, answer, { address: '', userAgent: '' });
  clock.advance(11 * hour);
  expect([await logins.isValid(frozen.id), await logins.isValid(id)]).toEqual([true, false]);
  expect(iam.used).toEqual([]);
  clock.advance(hour);
  expect(await logins.isValid(frozen.id)).toBe(false);
});

test('a login whose row cannot be opened counts as ended; logging out of it works', async () => {
  const { login, clock, withOtherKey, db } = await testLogins();
  const [one, two] = [await login(), await login()];
  const other = withOtherKey();
  expect(await other.logOut(two.id)).toBeUndefined();
  clock.advance(15 * minute);
  expect(await other.isValid(one.id)).toBe(false);
  const rows = await db.selectFrom('logins').select(['id', 'endReason']).orderBy('createdAt').execute();
  expect(new Map(rows.map(({ id, endReason }) => [id, endReason]))).toEqual(
    new Map([
      [one.id, 'unreadable'],
      [two.id, 'logout'],
    ]),
  );
});
