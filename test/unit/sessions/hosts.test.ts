// Names of sessions from a fixed pool: never two owners at once, and rest before another owner.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDatabase, type Database } from '../../../server/db/open.ts';
import { makeHosts } from '../../../server/sessions/hosts.ts';
import { movableClock } from '../../kit/clock.ts';

let db: Database;
beforeEach(async () => {
  db = await openDatabase('sqlite::memory:');
});
afterEach(() => db.destroy());

test('starts at the same time get different names, and the last one is told that none is left', async () => {
  const hosts = makeHosts(db, movableClock(), '', ['a.test', 'b.test']);
  const people = ['u1', 'u2', 'u3'];
  const results = await Promise.allSettled(people.map((user, index) => hosts.allocate(`s${index}`, user)));
  const names = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  expect(names.sort()).toEqual(['a.test', 'b.test']);
  expect(results.find((result) => result.status === 'rejected')).toMatchObject({
    reason: { code: 'site-unavailable' },
  });
});

test('a freed name is its former owner’s again at once, and another’s after a day, with its storage cleared', async () => {
  const clock = movableClock();
  const hosts = makeHosts(db, clock, '', ['a.test']);
  expect(await hosts.allocate('s1', 'u1')).toBe('a.test');
  await expect(hosts.allocate('s2', 'u2')).rejects.toMatchObject({ code: 'site-unavailable' });
  await hosts.free('s1');
  await expect(hosts.allocate('s2', 'u2')).rejects.toMatchObject({ code: 'site-unavailable' });
  expect(await hosts.allocate('s3', 'u1')).toBe('a.test');
  expect(await hosts.needsClearing('s3')).toBe(false);
  await hosts.free('s3');
  clock.advance(24 * 3_600_000);
  expect(await hosts.allocate('s4', 'u2')).toBe('a.test');
  expect(await hosts.needsClearing('s4')).toBe(true);
  await hosts.cleared('s4');
  expect(await hosts.needsClearing('s4')).toBe(false);
});
