// The life of a local session: start, logs, end, stop, in the sandbox and without one.
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { statOf } from '../../server/lib/process-identity.ts';
import { descendantsOf } from '../../server/spawner/local/processes.ts';
import { localSite, specOf, type LocalSite } from '../kit/local-site.ts';
import { until } from '../kit/until.ts';

let site: LocalSite | undefined;
afterEach(async () => {
  await site?.close();
  site = undefined;
});

const forever = 'while True: time.sleep(0.1)';
/** A process that leaves its parent, its process group and its session, and cleans its environment. */
const escape = `
import subprocess
code = "import os,sys,time\\nif os.fork(): sys.exit()\\nos.setsid()\\nif os.fork(): os._exit(0)\\nimport signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\\nopen(os.path.expanduser('~/escaped'),'w').write('x')\\ntime.sleep(600)"
subprocess.run([sys.executable, "-c", code, "escaped-from-" + settings["LINKSPAN_SESSION"]])
while True: time.sleep(0.1)
`;

const commandLines = async (): Promise<string[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
};
const livingWith = async (word: string): Promise<number> =>
  (await commandLines()).filter((line) => line.includes(word)).length;

for (const sandbox of [true, false]) {
  const where = sandbox ? 'in the sandbox' : 'without a sandbox';

  test(`${where} a start reports submitted and running, and the end with the agent's exit status`, async () => {
    site = await localSite({ sandbox });
    expect(site.spawner.sandbox.available).toBe(sandbox);
    const spec = specOf('print("hello", flush=True); os._exit(82)');
    await site.spawner.start(spec);
    const end = await site.ended(spec.sessionId);
    expect(end.exit).toEqual({ cause: 'exited', code: 82 });
    expect(site.facts.map((fact) => fact.kind)).toEqual(['submitted', 'running', 'ended']);
    expect(site.facts[1]?.node).toBe(os.hostname());
    expect(await site.lines(spec.sessionId)).toEqual(['agent up', 'hello']);
  });

  test(`${where} a kill of the agent is told as a signal`, async () => {
    site = await localSite({ sandbox });
    const spec = specOf(forever);
    await site.spawner.start(spec);
    const written = await until(async () => {
      const text = await readFile(path.join(site!.directoryOf(spec.sessionId), 'process.json'), 'utf8').catch(() => '');
      return text === '' ? undefined : (JSON.parse(text) as { agent: number });
    }, 'process.json');
    process.kill(written.agent, 'SIGKILL');
    expect((await site.ended(spec.sessionId)).exit).toEqual({ cause: 'exited', signal: 'SIGKILL' });
  });

  test(`${where} stop lets the agent end by itself`, async () => {
    site = await localSite({ sandbox });
    const spec = specOf(forever);
    await site.spawner.start(spec);
    await until(async () => (await site!.lines(spec.sessionId)).includes('agent up'), 'the agent');
    const parent = site.store.rows.get(spec.sessionId)!.pid;
    await site.spawner.stop(spec.sessionId, { graceSeconds: 5 });
    expect(statOf(parent)?.state ?? 'gone').toMatch(/gone|Z/);
    expect(await site.lines(spec.sessionId)).toContain('told to end');
    expect((await site.ended(spec.sessionId)).exit).toEqual({ cause: 'exited', code: 81 });
  });

  test(`${where} a stop right after the start is not lost`, async () => {
    site = await localSite({ sandbox });
    const spec = specOf(forever);
    await site.spawner.start(spec);
    const since = performance.now();
    await site.spawner.stop(spec.sessionId, { graceSeconds: 15 });
    expect(performance.now() - since).toBeLessThan(5000);
  });

  test(`${where} stop kills an agent that ignores it, after the grace`, async () => {
    site = await localSite({ sandbox });
    const spec = specOf(`signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint("deaf", flush=True)\n${forever}`);
    await site.spawner.start(spec);
    await until(async () => (await site!.lines(spec.sessionId)).includes('deaf'), 'the agent');
    await site.spawner.stop(spec.sessionId, { graceSeconds: 0.3 });
    expect((await site.ended(spec.sessionId)).exit).toEqual({ cause: 'exited', signal: 'SIGKILL' });
  });

  test(`${where} stop ends what has left the process tree`, async () => {
    site = await localSite({ sandbox });
    const spec = specOf(escape);
    await site.spawner.start(spec);
    const mark = `escaped-from-${spec.sessionId}`;
    await until(() => existsSync(path.join(site!.folder, 'data/homes/ada-00000001/escaped')), 'the escape');
    // A process that is being forked has its parent's command line until it is another program.
    await until(async () => (await livingWith(mark)) === 1, 'one process');
    await site.spawner.stop(spec.sessionId, { graceSeconds: 1 });
    expect(await livingWith(mark)).toBe(0);
  });

  test(`${where} nothing is left when the parent itself is killed, and the end is told`, async () => {
    site = await localSite({ sandbox });
    const spec = specOf(escape);
    await site.spawner.start(spec);
    const mark = `escaped-from-${spec.sessionId}`;
    await until(() => livingWith(mark), 'the escape');
    await until(() => existsSync(path.join(site!.folder, 'data/homes/ada-00000001/escaped')), 'the escape');
    process.kill(site.store.rows.get(spec.sessionId)!.pid, 'SIGKILL');
    expect((await site.ended(spec.sessionId)).exit).toEqual({ cause: 'unknown' });
    expect(await livingWith(mark)).toBe(0);
  });

  test(`${where} stop works although the parent does not answer`, async () => {
    site = await localSite({ sandbox });
    const spec = specOf(forever);
    await site.spawner.start(spec);
    const { pid } = site.store.rows.get(spec.sessionId)!;
    const below = await until(() => (descendantsOf(pid).length > 0 ? descendantsOf(pid) : undefined), 'the agent');
    process.kill(pid, 'SIGSTOP');
    await site.spawner.stop(spec.sessionId, { graceSeconds: 0.1 });
    for (const one of [pid, ...below]) expect(statOf(one)?.state ?? 'gone').toMatch(/gone|Z/);
  });
}

test('two starts of the same session at once make one process', async () => {
  site = await localSite();
  const spec = specOf(forever);
  await Promise.all([site.spawner.start(spec), site.spawner.start(spec)]);
  await site.spawner.start(spec);
  await until(async () => (await livingWith(site!.directoryOf(spec.sessionId))) === 1, 'one process');
  expect(site.facts.filter((fact) => fact.kind === 'running')).toHaveLength(1);
});

test('two servers over the same folder make one process', async () => {
  site = await localSite();
  const spec = specOf(forever);
  await site.spawner.start(spec);
  await until(() => existsSync(path.join(site!.directoryOf(spec.sessionId), 'process.json')), 'process.json');
  const first = site.store.rows.get(spec.sessionId)!.pid;
  site.store.rows.delete(spec.sessionId);
  const { spawner } = await site.restarted();
  await spawner.start(spec);
  expect(site.store.rows.get(spec.sessionId)?.pid).toBe(first);
});

test('a session that has ended is not started a second time', async () => {
  site = await localSite();
  const spec = specOf('os._exit(0)');
  await site.spawner.start(spec);
  await site.ended(spec.sessionId);
  await site.spawner.start(spec);
  expect(site.facts.at(-1)?.kind).toBe('ended');
  expect((await site.lines(spec.sessionId)).filter((line) => line === 'agent up')).toHaveLength(1);
});

test('stop is idempotent and knows sessions that were never started', async () => {
  site = await localSite();
  const spec = specOf(forever);
  await site.spawner.stop(spec.sessionId, { graceSeconds: 1 });
  await site.spawner.start(spec);
  await Promise.all([1, 2].map(() => site!.spawner.stop(spec.sessionId, { graceSeconds: 5 })));
  await site.spawner.stop(spec.sessionId, { graceSeconds: 5 });
});

test('forget removes folder and row of an ended session, and refuses a running one by session-not-ended', async () => {
  site = await localSite();
  const spec = specOf(forever);
  await site.spawner.start(spec);
  await expect(site.spawner.forget(spec.sessionId)).rejects.toMatchObject({ code: 'session-not-ended' });
  await site.spawner.stop(spec.sessionId, { graceSeconds: 5 });
  await site.spawner.forget(spec.sessionId);
  await site.spawner.forget(spec.sessionId);
  expect(existsSync(site.directoryOf(spec.sessionId))).toBe(false);
  expect(site.store.rows.size).toBe(0);
});

test('what is no session id never becomes a path: session-not-found', async () => {
  site = await localSite();
  await expect(site.spawner.forget('..')).rejects.toMatchObject({ code: 'session-not-found' });
  expect(existsSync(path.join(site.folder, 'data'))).toBe(true);
});

test('home and folders are private, the home outlives the session, the token is on no disk', async () => {
  site = await localSite();
  const spec = specOf('open(os.path.expanduser("~/kept"), "w").write("mine")\nopen("/tmp/scratch", "w").write("x")');
  await site.spawner.start(spec);
  await site.ended(spec.sessionId);
  const home = path.join(site.folder, 'data/homes/ada-00000001');
  expect(await readFile(path.join(home, 'kept'), 'utf8')).toBe('mine');
  for (const folder of [home, site.directoryOf(spec.sessionId)]) expect((await stat(folder)).mode & 0o777).toBe(0o700);
  await until(() => !existsSync(path.join(site!.directoryOf(spec.sessionId), 'tmp')), 'the folder tmp to go');
  for (const name of await readdir(site.directoryOf(spec.sessionId), { recursive: true })) {
    const file = path.join(site.directoryOf(spec.sessionId), name);
    if ((await stat(file)).isFile()) expect(await readFile(file, 'utf8')).not.toContain(spec.enrol.token);
  }
});

test('the agent gets its settings and nothing of the environment of the server', async () => {
  process.env['SECRET_OF_SERVER'] = 'x';
  site = await localSite();
  const spec = specOf('print(json.dumps(settings), flush=True)', {
    walltimeSeconds: 77,
    env: { OMP_NUM_THREADS: '2', HOME: '/', LINKSPAN_URL: 'http://elsewhere', LINKSPAN_ODD: '1' },
  });
  await site.spawner.start(spec);
  await site.ended(spec.sessionId);
  delete process.env['SECRET_OF_SERVER'];
  const seen = JSON.parse((await site.lines(spec.sessionId)).at(-1) ?? '') as Record<string, string>;
  expect(seen).toMatchObject({
    HOME: '/home/ada-00000001',
    USER: 'ada-00000001',
    OMP_NUM_THREADS: '2',
    LANG: 'C.UTF-8',
    LINKSPAN_URL: 'http://127.0.0.1:1',
    LINKSPAN_SESSION: spec.sessionId,
    LINKSPAN_ENROL: spec.enrol.token,
    LINKSPAN_WALLTIME: '77',
    LINKSPAN_MAX_AGE: '3600',
    LINKSPAN_AWAY: '3600',
    LINKSPAN_READY_TIMEOUT: '60',
    LINKSPAN_PRIVATE_DIR: '/run/linkspan',
  });
  expect(JSON.parse(seen['LINKSPAN_APP'] ?? '')).toMatchObject({ kind: 'argv', rootDir: '/home/ada-00000001' });
  expect(seen['PATH']?.split(':')[0]).toMatch(/bin$/);
  expect(seen).not.toHaveProperty('LINKSPAN_ODD');
  expect(seen).not.toHaveProperty('SECRET_OF_SERVER');
});
