// The key beside the database: lost, cut or changed, it is told before anything is replaced.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ConfigError } from '../../server/config/settings.ts';
import { openDatabase } from '../../server/db/open.ts';
import { testApp } from '../kit/app.ts';

/** A server that ran once and is closed. */
async function closedSite() {
  const site = await testApp();
  onTestFinished(() => site.close());
  await site.person('ada');
  await site.app.close();
  return { site, at: path.join(site.dataDir, 'secret.key') };
}
const refusal = async (start: Promise<void>): Promise<string> => {
  const error: unknown = await start.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).message;
};

test('a key that is gone is not replaced: the start is refused with file, cause and remedy, and its backup works', async () => {
  const { site, at } = await closedSite();
  const key = readFileSync(at);
  rmSync(at);
  const words = await refusal(site.reopen());
  expect(words).toContain(`'${at}' is missing, but this database was sealed with it; restore it from a backup`);
  expect(existsSync(at)).toBe(false);
  writeFileSync(at, key, { mode: 0o600 });
  await site.reopen();
  await site.person('ada');
});

test('another key is refused, and the remedy that the message names does what it says', async () => {
  const { site, at } = await closedSite();
  writeFileSync(at, randomBytes(32));
  const words = await refusal(site.reopen());
  expect(words).toContain(`'${at}' is not the key that sealed this database`);
  const statements = words.match(/DELETE FROM [^;]+;/g) ?? [];
  expect(statements.length).toBeGreaterThan(0);
  const db = await openDatabase(`sqlite:${path.join(site.dataDir, 'linkspan.sqlite')}`);
  for (const statement of statements) await db.executeQuery({ sql: statement, parameters: [] } as never);
  await db.destroy();
  await site.reopen();
  await site.person('ada');
});

test('a cut key is refused with its length', async () => {
  const { site, at } = await closedSite();
  writeFileSync(at, readFileSync(at).subarray(0, 31));
  expect(await refusal(site.reopen())).toContain('has 31 bytes instead of 32');
});

test('rows that are over are deleted at start', async () => {
  const { site } = await closedSite();
  const url = `sqlite:${path.join(site.dataDir, 'linkspan.sqlite')}`;
  const count = async () => {
    const db = await openDatabase(url);
    const rows = async (table: 'logins' | 'iamRecords') => (await db.selectFrom(table).selectAll().execute()).length;
    const counted = [await rows('logins'), await rows('iamRecords')];
    await db.destroy();
    return counted;
  };
  const [logins, records] = await count();
  expect([logins, records! > 4]).toEqual([1, true]);
  site.clock.advance(40 * 86_400_000);
  await site.reopen();
  await site.app.close();
  expect(await count()).toEqual([0, 4]); // three people and the keys stay
});
