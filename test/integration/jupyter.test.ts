// A real JupyterLab through the real server: what a stop saves and ends, what listens, and what is told when it goes wrong.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { ProfileView, SessionDetail } from '../../contract/api.ts';
import { packageRoot, testApp, type TestApp } from '../kit/app.ts';
import { Lab } from '../kit/jupyter-lab.ts';
import { familyOf, listenersOf, stillThere, type Member } from '../kit/jupyter-processes.ts';
import { openRoom } from '../kit/jupyter-room.ts';
import type { Person } from '../kit/person.ts';
import { processesOf } from '../kit/processes.ts';
import { until } from '../kit/until.ts';

let profilesDir: string;
let site: TestApp;
let ada: Person;
beforeAll(async () => {
  profilesDir = await mkdtemp(path.join(os.tmpdir(), 'ls-profiles-'));
  await writeFile(
    path.join(profilesDir, 'profiles.yaml'),
    JSON.stringify({
      profiles: [
        { id: 'jupyterlab', title: 'JupyterLab', site: 'this-machine' },
        { id: 'old', title: 'Old', site: 'this-machine', env: { PYTHONPATH: 'old' } },
        {
          id: 'silent',
          title: 'Never answers',
          site: 'this-machine',
          readyTimeoutSeconds: 1,
          app: { kind: 'argv', argv: ['sh', '-c', 'echo one; echo waiting for nothing; exec sleep 1000'] },
        },
      ],
    }),
  );
  site = await testApp({ profilesDir, quota: { sessionsPerUser: 10 } });
  ada = await site.person('ada');
});
afterAll(async () => {
  await site?.close();
  await rm(profilesDir, { recursive: true, force: true });
});

const folderOf = (session: { id: string }): string => path.join(site.dataDir, 'sessions', session.id);
const linesOf = async (session: { id: string }): Promise<string> =>
  (await ada.get(`/api/sessions/${session.id}/log`)).json<{ lines: string[] }>().lines.join('\n');
async function homeOfAda(): Promise<string> {
  const homes = path.join(site.dataDir, 'homes');
  const name = (await readdir(homes)).find((one) => one.startsWith('ada'));
  return path.join(homes, name!);
}

/** A ready JupyterLab, and what it needs to be entered; its sockets end with the test. */
async function readyLab(): Promise<{ session: SessionDetail; lab: Lab }> {
  const session = await ada.ready((await ada.start()).id);
  const lab = await Lab.open(ada, site.port, session.url);
  onTestFinished(() => lab.close());
  return { session, lab };
}

test('an edit made just before a stop is on disk, and nothing of the session is left', async () => {
  const { session, lab } = await readyLab();
  const cell = { cell_type: 'code', id: 'one', source: 'a = 1', metadata: {}, outputs: [], execution_count: null };
  const content = { cells: [cell], metadata: {}, nbformat: 4, nbformat_minor: 5 };
  await lab.ask('/api/contents/work.ipynb', { method: 'PUT', body: { type: 'notebook', format: 'json', content } });
  await lab.kernel();
  const room = await openRoom(lab, 'work.ipynb');
  const family = familyOf(folderOf(session));
  const file = path.join(await homeOfAda(), 'work.ipynb');

  await room.write('\nb = 2  # just now');
  expect(room.isOpen()).toBe(true);
  const began = performance.now();
  expect(await ada.stop(session.id)).toMatchObject({ state: 'stopped', cause: { code: 'by-owner' } });

  expect(performance.now() - began).toBeLessThan(10_000);
  const saved = JSON.parse(await readFile(file, 'utf8')) as { cells: { source: string | string[] }[] };
  expect([saved.cells[0]!.source].flat().join('')).toBe('a = 1\nb = 2  # just now');
  expect(room.isOpen()).toBe(false);
  expect(names(family)).toEqual(expect.arrayContaining([expect.stringContaining('kernel-')]));
  await until(() => stillThere(family).length === 0, 'nothing is left');
  expect(processesOf(folderOf(session))).toEqual([]);
}, 60_000);

test('a stop also ends what a kernel started in a group of its own and what ignores SIGTERM', async () => {
  const { session, lab } = await readyLab();
  const kernel = await lab.kernel();
  const mark = `deaf-${session.id}`;
  const deaf =
    'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print("deaf", flush=True); time.sleep(999)';
  const printed = await kernel.run(`
import subprocess, sys
child = subprocess.Popen([sys.executable, '-c', ${JSON.stringify(deaf)}, '${mark}'], stdout=subprocess.PIPE, start_new_session=True)
print(child.stdout.readline().decode())`);
  expect(printed).toBe('deaf');
  const family = familyOf(folderOf(session));
  expect(names(family)).toEqual(expect.arrayContaining([expect.stringContaining(mark)]));

  const began = performance.now();
  const stopped = await ada.stop(session.id);
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(stopped).toMatchObject({ state: 'stopped', cause: { code: 'by-owner' } });
  await until(() => stillThere(family).length === 0, 'nothing is left');
  expect(processesOf(mark)).toEqual([]);
  // The agent saw to it by itself; nobody had to end the agent.
  expect(stopped.timeline.at(-1)!.raw).toMatchObject({ code: 81, signal: null });
}, 60_000);

test('neither JupyterLab nor a kernel listens on TCP', async () => {
  const { session, lab } = await readyLab();
  const kernel = await lab.kernel();
  expect(await kernel.run('print(6 * 7)')).toBe('42');
  const family = familyOf(folderOf(session));
  expect(names(family)).toEqual(
    expect.arrayContaining([expect.stringContaining('linkspan_lab.py'), expect.stringContaining('kernel-')]),
  );
  expect(listenersOf(family)).toEqual([]);
  // The look does see listeners there: a cell may open one.
  const port = await kernel.run(
    "import socket; own = socket.create_server(('127.0.0.1', 0)); print(own.getsockname()[1])",
  );
  expect(listenersOf(family)).toEqual([expect.stringContaining(`127.0.0.1:${port}`)]);
  await ada.stop(session.id);
}, 60_000);

test('a JupyterLab that is killed fails the session; cause, last lines and log say so, and its kernels go too', async () => {
  const { session, lab } = await readyLab();
  const kernel = await lab.kernel();
  await kernel.run('import os; os.write(2, b"a last word\\n")');
  const family = familyOf(folderOf(session));
  process.kill(family.find(({ command }) => command.includes('linkspan_lab.py'))!.pid, 'SIGKILL');
  const ended = await ada.ended(session.id);
  expect(ended).toMatchObject({
    state: 'failed',
    cause: { code: 'app-failed' },
    words: 'The application was ended by SIGKILL. Its last lines are in the log.',
  });
  expect(JSON.stringify(ended.timeline.map(({ raw }) => raw))).toContain('Kernel started');
  expect(await linesOf(session)).toContain('Kernel started');
  await until(() => stillThere(family).length === 0, 'nothing is left');
}, 60_000);

test('an application that never answers fails the session in words, with its last lines', async () => {
  const ended = await ada.ended((await ada.start('silent')).id);
  expect(ended).toMatchObject({
    state: 'failed',
    readyAt: null,
    cause: { code: 'app-never-answered' },
    words: 'The application did not answer within 1 s. Its last lines are in the log.',
  });
  expect(await linesOf(ended)).toMatch(/one\nwaiting for nothing/);
  expect(JSON.stringify(ended.timeline.map(({ raw }) => raw))).toContain('one\\nwaiting for nothing');
  await until(() => processesOf(folderOf(ended)).length === 0, 'nothing is left');
});

test('a jupyter_server below 2.0 that a person installed is refused by name, before it runs', async () => {
  // A first session makes the home.
  await ada.ended((await ada.start('silent')).id);
  await mkdir(path.join(await homeOfAda(), 'old/jupyter_server-1.24.0.dist-info'), { recursive: true });
  const ended = await ada.ended((await ada.start('old')).id);
  expect(ended).toMatchObject({ state: 'failed', cause: { code: 'refused', exitCode: 85 } });
  expect(ended.words).toMatch(/jupyter_server 1\.24\.0 .*is too old.*jupyter_server 2\.0 or newer is needed/);
});

test('a site whose Python has a jupyter_server below 2.0 is down, and says so by name', async () => {
  const old = await mkdtemp(path.join(os.tmpdir(), 'ls-old-'));
  onTestFinished(() => rm(old, { recursive: true, force: true }));
  await promisify(execFile)(path.join(packageRoot, '.cache/python/bin/python'), ['-m', 'venv', '--without-pip', old]);
  const [lib] = await readdir(path.join(old, 'lib'));
  for (const [name, version] of [
    ['jupyterlab', '3.6.8'],
    ['jupyter_server', '1.24.0'],
  ]) {
    const info = path.join(old, 'lib', lib!, 'site-packages', `${name}-${version}.dist-info`);
    await mkdir(info);
    await writeFile(path.join(info, 'METADATA'), `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`);
  }
  const there = await testApp({ profilesDir, python: path.join(old, 'bin/python') });
  onTestFinished(() => there.close());
  const bela = await there.person('bela');

  const reason = /jupyter_server 1\.24\.0 .*is too old, 2\.0 or newer is needed/;
  const { items } = (await bela.get('/api/profiles')).json<{ items: ProfileView[] }>();
  expect(items[0]!.site).toMatchObject({ health: 'down', message: expect.stringMatching(reason) as string });
  const refused = await bela.post('/api/sessions', { profile: 'jupyterlab' });
  expect([refused.status, refused.json()['code']]).toEqual([503, 'site-unavailable']);
  expect(refused.json()['detail']).toMatch(reason);
});

const names = (family: Member[]): string[] => family.map(({ command }) => command);
