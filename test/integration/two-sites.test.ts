// Two sites on one machine, through the whole server: both are synced, each session belongs to its own site, restarts are cheap.
import { mkdtempSync, readFileSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase, type Database } from '../../server/db/open.ts';
import { packageRoot, testApp, type TestApp } from '../kit/app.ts';
import type { Person } from '../kit/person.ts';
import { until } from '../kit/until.ts';

let folder: string;
let site: TestApp;
let ada: Person;
beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'ls-two-'));
  const names = ['this-machine', 'second'];
  const sites = names.map((name) => ({ name, title: name, kind: 'local', class: 'cloud' }));
  const sitesFile = path.join(folder, 'sites.yaml');
  writeFileSync(sitesFile, JSON.stringify({ sites }));
  const profilesDir = path.join(folder, 'profiles');
  mkdirSync(profilesDir);
  const profiles = readFileSync(path.join(packageRoot, 'test/kit/profiles/test.yaml'), 'utf8');
  writeFileSync(path.join(profilesDir, 'a.yaml'), profiles);
  writeFileSync(
    path.join(profilesDir, 'b.yaml'),
    profiles.replaceAll('site: this-machine', 'site: second').replaceAll('- id: ', '- id: second-'),
  );
  site = await testApp({ sitesFile, profilesDir });
  ada = await site.person('ada');
});
afterAll(async () => {
  await site?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function rows<T>(read: (db: Database) => Promise<T>): Promise<T> {
  const db = await openDatabase(`sqlite:${path.join(site.dataDir, 'linkspan.sqlite')}`);
  try {
    return await read(db);
  } finally {
    await db.destroy();
  }
}
const isReady = async (): Promise<boolean> => (await ada.get('/readyz')).status === 200;

test('the server is ready with two local sites, and after a restart sessions of both are found', async () => {
  await until(isReady, '/readyz');
  const [one, two] = [await ada.start('quick'), await ada.start('second-quick')];
  await Promise.all([ada.ready(one.id), ada.ready(two.id)]);
  const reports = await rows((db) => db.selectFrom('facts').selectAll().where('source', '=', 'spawner').execute());
  for (const { id, site: name } of [one, two]) {
    const told = reports.filter((report) => report.sessionId === id).map((report) => JSON.parse(report.body) as object);
    expect(told).toHaveLength(2); // submitted and running, each once
    for (const report of told) expect(report).toMatchObject({ site: name.name });
  }
  await site.app.close();
  await site.reopen();
  await until(isReady, '/readyz after a restart');
  for (const { id } of [one, two]) await ada.reaches(id, ({ state, words }) => state === 'ready' && words === 'Ready.');
  for (const { id } of [one, two]) expect(await ada.stop(id)).toMatchObject({ state: 'stopped' });
});

test('sessions that have ended cost nothing at the next start', async () => {
  for (const profile of ['dies', 'second-dies']) await ada.ended((await ada.start(profile)).id);
  await until(
    () =>
      rows(async (db) => (await db.selectFrom('localProcesses').selectAll().execute()).every((row) => row.settledAt)),
    'all settled',
  );
  const count = () => rows(async (db) => (await db.selectFrom('facts').select('id').execute()).length);
  await site.app.close();
  const before = await count();
  await site.reopen();
  await until(isReady, '/readyz');
  expect(await count()).toBe(before);
});

test('an end that was seen but not yet written before a crash is told again', async () => {
  const { id } = await ada.ended((await ada.start('dies')).id);
  await until(
    () =>
      rows((db) =>
        db
          .selectFrom('localProcesses')
          .select('settledAt')
          .where('sessionId', '=', id)
          .where('settledAt', 'is not', null)
          .executeTakeFirst(),
      ),
    'settled',
  );
  await site.app.close();
  await rows(async (db) => {
    const situation = JSON.stringify({ orderedAt: 1, spawner: { kind: 'running', at: 1 }, runningAt: 1 });
    await db
      .updateTable('sessions')
      .set({ state: 'starting', endedAt: null, cause: null, situation })
      .where('id', '=', id)
      .execute();
  });
  await site.reopen();
  expect(await ada.ended(id)).toMatchObject({ state: 'failed', cause: { code: 'app-failed' } });
});
