// The parent by itself: what it keeps to without help of the spawner.
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {} from '../kit/local-site.ts';
import { until } from '../kit/until.ts';

const parentFile = fileURLToPath(new URL('../../server/spawner/local/parent.py', import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'ls-parent-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const jobOf = (argv: string[], more: object = {}): string =>
  JSON.stringify({
    directory: folder,
    argv,
    cwd: '/',
    sandboxed: false,
    env: { PATH: process.env['PATH'] },
    cgroups: [],
    logBytes: 100_000,
    logFiles: 3,
    ...more,
  });

/** Runs it to its end; returns its answer. */
async function parent(job: string, more: { extra?: number; uid?: number; python?: string } = {}): Promise<unknown> {
  const child = spawn(more.python ?? 'python3', ['-I', '-S', parentFile], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit', ...(more.extra === undefined ? [] : [more.extra])],
    ...(more.uid === undefined ? {} : { uid: more.uid, gid: more.uid }),
  });
  let text = '';
  child.stdout?.on('data', (part: Buffer) => (text += part.toString()));
  child.stdin?.end(job);
  await until(() => child.exitCode !== null || child.signalCode !== null, 'the parent');
  return JSON.parse(text.trim());
}
const log = (): Promise<string> => readFile(path.join(folder, 'log'), 'utf8');
const exit = async (): Promise<unknown> => JSON.parse(await readFile(path.join(folder, 'exit.json'), 'utf8'));

test('it answers that it started, and records the end', async () => {
  expect(await parent(jobOf(['/bin/sh', '-c', 'echo out; echo err >&2; exit 7']))).toMatchObject({ state: 'started' });
  expect(await log()).toBe('out\nerr\n');
  expect(await exit()).toMatchObject({ code: 7, signal: null, oom: false });
});

test('files that the server itself inherited are not handed on', async () => {
  const extra = await open(path.join(folder, 'secret'), 'w+');
  await parent(jobOf(['/bin/sh', '-c', 'ls -l /proc/self/fd']), { extra: extra.fd });
  await extra.close();
  expect(await log()).toContain('-> /dev/null');
  expect(await log()).not.toContain('secret');
});

test('what cannot be started ends with 127 and says why', async () => {
  await parent(jobOf(['/no/such/program']));
  expect(await log()).toMatch(/^cannot start \/no\/such\/program: .*No such file/);
  expect(await exit()).toMatchObject({ code: 127 });
});

test('a signal is told by name, also as bubblewrap tells it', async () => {
  await parent(jobOf(['/bin/sh', '-c', 'kill -SEGV $$']));
  expect(await exit()).toMatchObject({ code: null, signal: 'SIGSEGV' });
  await rm(path.join(folder, 'exit.json'));
  await parent(jobOf(['/bin/sh', '-c', 'exit 139'], { sandboxed: true }));
  expect(await exit()).toMatchObject({ code: null, signal: 'SIGSEGV' });
});

test('a run that has its exit record is over', async () => {
  await parent(jobOf(['/bin/true']));
  expect(await parent(jobOf(['/bin/true']))).toEqual({ state: 'over' });
});

test('a second parent finds the place taken', async () => {
  const first = parent(jobOf(['/bin/sleep', '0.7']));
  await until(() => readFile(path.join(folder, 'process.json')).catch(() => undefined), 'process.json');
  expect(await parent(jobOf(['/bin/true']))).toEqual({ state: 'taken' });
  expect(await first).toMatchObject({ state: 'started' });
});

test('a job that is cut short or a folder that is missing is told, not swallowed', async () => {
  expect(await parent('{"directory": "/tm')).toMatchObject({ state: 'failed' });
  const missing = await parent(jobOf(['/bin/true'], { directory: '/no/such/folder' }));
  expect(missing).toMatchObject({ state: 'failed' });
  expect((missing as { reason: string }).reason).toContain('/no/such/folder');
});

test('a program that holds its output open elsewhere does not keep the session from ending', async () => {
  const holder = spawn('/bin/sh', [
    '-c',
    `while [ ! -e ${folder}/pid ]; do sleep 0.02; done; exec 3>/proc/$(cat ${folder}/pid)/fd/1; sleep 30`,
  ]);
  const run = parent(jobOf(['/bin/sh', '-c', `echo $$ > ${folder}/pid; sleep 0.5; echo last`]));
  try {
    expect(await run).toMatchObject({ state: 'started' });
    expect(await log()).toBe('last\n');
  } finally {
    holder.kill('SIGKILL');
  }
});

test('a log that cannot be written does not end the session', async () => {
  await parent(
    jobOf([
      '/bin/sh',
      '-c',
      `rm -f ${folder}/log ${folder}/log.1; mkdir ${folder}/log.1 ${folder}/log; head -c 300000 /dev/zero; exit 5`,
    ]),
  );
  expect(await exit()).toMatchObject({ code: 5 });
});

test("processes of the same account cannot read the parent's memory", async () => {
  await chmod(folder, 0o777);
  const nobody = 65_534;
  const code = `
import os
for pid in ("self", str(os.getppid())):
    try:
        open("/proc/" + pid + "/mem", "rb"); print("read")
    except OSError as error:
        print(type(error).__name__)
`;
  // Root may read everything: there, both run as nobody.
  const root = process.getuid?.() === 0;
  const python = root ? '/usr/bin/python3' : 'python3';
  await parent(jobOf(['/usr/bin/env', python, '-c', code]), { python, ...(root ? { uid: nobody } : {}) });
  expect(await log()).toBe('read\nPermissionError\n');
});
