import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { installationId } from '../../../server/db/installation.ts';
import { openDatabase } from '../../../server/db/open.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'ls-db-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('a database keeps its installation id over a restart', async () => {
  const url = `sqlite:${path.join(directory, 'a.sqlite')}`;
  const first = await openDatabase(url);
  const id = await installationId(first);
  await first.destroy();
  const second = await openDatabase(url);
  expect(await installationId(second)).toBe(id);
  expect(id).toMatch(/^i_[a-z2-7]{16}$/);
  await second.destroy();
});

test('the form of a database URL is refused without showing its password', async () => {
  await expect(openDatabase('mysql://me:hunter2@db/x')).rejects.toThrow('is not understood');
  await expect(openDatabase('mysql://me:hunter2@db/x')).rejects.not.toThrow('hunter2');
  await expect(openDatabase('mysql:me:hunter2')).rejects.not.toThrow('hunter2');
});

test('two people with the same (iss, sub) cannot exist', async () => {
  const db = await openDatabase('sqlite::memory:');
  const row = { iss: 'i', sub: 's', name: 'n', email: null, groups: '[]', claims: '{}', createdAt: 1, seenAt: 1 };
  await db
    .insertInto('users')
    .values({ ...row, id: 'u_1', slug: 'a' })
    .execute();
  await expect(
    db
      .insertInto('users')
      .values({ ...row, id: 'u_2', slug: 'b' })
      .execute(),
  ).rejects.toThrow('UNIQUE');
  await db.destroy();
});
