// One server and its surroundings: its data directory is its own, its other listeners answer for what they are for, its command line finds it.
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '../../server/app.ts';
import { controlPath } from '../../server/cli/control-path.ts';
import { Config } from '../../server/config/schema.ts';
import { settle } from '../../server/config/settings.ts';
import { makeLog } from '../../server/lib/log.ts';
import { packageRoot, testApp, type TestApp } from '../kit/app.ts';
import { folder } from '../kit/folder.ts';
import { freePort } from '../kit/ports.ts';
import { processesOf } from '../kit/processes.ts';

const profilesDir = path.join(packageRoot, 'test/kit/profiles');
let site: TestApp;
beforeAll(async () => {
  site = await testApp({ profilesDir });
});
afterAll(() => site.close());

/** Starts a server in this process and returns how it was refused. */
async function refusal(config: Record<string, unknown>): Promise<string> {
  const settings = settle(Config.parse(config), await freePort());
  try {
    const app = await createApp({ settings, clock: site.clock, log: makeLog('silent'), packageRoot });
    await app.close();
  } catch (error) {
    return (error as Error).message;
  }
  return 'it started';
}

test('a second server with the same data directory is refused, and the first goes on', async () => {
  expect(await refusal({ dataDir: site.dataDir })).toMatch(/^dataDir: another server runs with '.*'; stop it, or give/);
  const ada = await site.person('ada');
  expect((await ada.get('/api/me')).status).toBe(200);
});

test('a port of the metrics that is in use is told by its setting', async () => {
  const dataDir = path.join(folder(), 'data');
  expect(await refusal({ dataDir, metrics: { port: site.port } })).toBe(
    `metrics.port: ${site.port} on 127.0.0.1 is in use by another program; stop it or set another metrics.port`,
  );
});

test('a server with two sites on one machine is ready', async () => {
  const at = folder({
    'sites.yaml':
      'sites:\n  - { name: this-machine, title: One, kind: local, class: cloud }\n  - { name: other, title: Two, kind: local, class: cloud }\n',
  });
  const two = await testApp({ sitesFile: path.join(at, 'sites.yaml'), profilesDir });
  try {
    const person = await two.person('ada');
    expect((await person.get('/readyz')).status).toBe(200);
  } finally {
    await two.close();
  }
});

test('the command line lists and stops sessions over a socket that only its owner may use', async () => {
  expect(statSync(controlPath(site.dataDir)).mode & 0o777).toBe(0o600);
  const config = path.join(folder({ 'linkspan.yaml': `dataDir: ${site.dataDir}\n` }), 'linkspan.yaml');
  const linkspan = (...words: string[]) =>
    promisify(execFile)(process.execPath, [
      path.join(packageRoot, 'node_modules/tsx/dist/cli.mjs'),
      path.join(packageRoot, 'server/main.ts'),
      ...words,
    ]);
  const ada = await site.person('ada');
  const { id } = await ada.ready((await ada.start('quick')).id);
  const listed = await linkspan('sessions', 'list', '--config', config);
  expect(listed.stdout).toMatch(new RegExp(`^ID +USER.*\\n${id} +ada-\\w+ +quick +this-machine +ready`));
  const stopped = await linkspan('sessions', 'stop', id, '--data-dir', site.dataDir);
  expect(stopped.stdout).toMatch(new RegExp(`^${id}: stopped`));
  expect(processesOf(path.join(site.dataDir, 'sessions', id))).toEqual([]);
  expect(await ada.session(id)).toMatchObject({ state: 'stopped', cause: { code: 'by-admin' } });
  const elsewhere = linkspan('sessions', 'list', '--data-dir', folder());
  await expect(elsewhere).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^linkspan: no server runs with this data directory/) as string,
  });
});

test('a key of a session that was deleted begins anew; nothing is left over', async () => {
  const ada = await site.person('ada');
  const key = { 'idempotency-key': 'the-same-key' };
  const first = (await ada.post('/api/sessions', { profile: 'quick' }, key)).json<{ id: string }>();
  await ada.ready(first.id);
  await ada.stop(first.id);
  expect((await ada.delete(`/api/sessions/${first.id}`)).status).toBe(204);
  const second = await ada.post('/api/sessions', { profile: 'quick' }, key);
  expect(second.status).toBe(201);
  const { id } = second.json<{ id: string }>();
  expect(id).not.toBe(first.id);
  await ada.ready(id);
  const third = await ada.post('/api/sessions', { profile: 'quick' }, key);
  expect(third.json()).toMatchObject({ id });
  await ada.stop(id);
  const { items } = (await ada.get('/api/sessions')).json<{ items: { state: string }[] }>();
  expect(items.filter(({ state }) => state === 'checking')).toEqual([]);
});
