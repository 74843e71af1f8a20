import { expect, test } from 'vitest';
import { purgeLogins } from '../../../server/auth/purge.ts';
import { testLogins } from '../../kit/logins.ts';

const day = 86_400_000;

test('ended logins stay 30 days, their entries with them; attempts and codes go when they are over', async () => {
  const { db, clock, logins, login, entry, entries } = await testLogins();
  const [gone, kept] = [await login(), await login()];
  await entry(gone);
  await entry(kept);
  const now = clock.now();
  const attempt = { browserHash: '', sealed: '', toPath: '/', createdAt: now };
  await db
    .insertInto('pendingLogins')
    .values([
      { ...attempt, stateHash: 'over', endsAt: now - 1 },
      { ...attempt, stateHash: 'running', endsAt: now + 32 * day },
    ])
    .execute();
  await logins.revoke(gone.user.id, gone.id);
  await entries.endForLogin(gone.id, 'revoked');
  const left = async () => ({
    logins: (await db.selectFrom('logins').select('id').execute()).map(({ id }) => id),
    entries: (await db.selectFrom('entries').select('loginId').execute()).map(({ loginId }) => loginId),
    codes: (await db.selectFrom('entryCodes').select('codeHash').execute()).length,
    attempts: (await db.selectFrom('pendingLogins').select('stateHash').execute()).map(({ stateHash }) => stateHash),
  });
  await purgeLogins(db, now + 30 * day - 1000);
  const both = [gone.id, kept.id];
  const first = await left();
  expect({ ...first, logins: first.logins.toSorted(), entries: first.entries.toSorted() }).toEqual({
    logins: both.toSorted(),
    entries: both.toSorted(),
    codes: 0,
    attempts: ['running'],
  });
  await purgeLogins(db, clock.now() + 30 * day + 1000);
  expect(await left()).toEqual({ logins: [kept.id], entries: [kept.id], codes: 0, attempts: ['running'] });
});

test('a login that nobody ended goes 30 days after its own end, and its entries with it', async () => {
  const { db, clock, login, entry } = await testLogins();
  await entry(await login());
  await purgeLogins(db, clock.now() + 36 * day);
  expect(await db.selectFrom('logins').select('id').execute()).toHaveLength(1);
  await purgeLogins(db, clock.now() + 38 * day);
  expect(await db.selectFrom('logins').select('id').execute()).toEqual([]);
  expect(await db.selectFrom('entries').select('id').execute()).toEqual([]);
});
