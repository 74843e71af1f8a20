// The lock of a data directory: one holder, and no person is needed after a kill or a restart of the machine.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { lockDataDir } from '../../../server/config/data-dir-lock.ts';
import { readBootId, statOf } from '../../../server/lib/process-identity.ts';
import { folder } from '../../kit/folder.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
let dataDir: string;
let run: string;
let socket: string;
beforeEach(() => {
  dataDir = folder();
  run = path.join(dataDir, 'run');
  socket = path.join(run, 'control.sock');
  mkdirSync(run);
});

const holder = (more: object = {}): string =>
  JSON.stringify({
    pid: process.pid,
    startTime: statOf(process.pid)!.startTime,
    bootId: readBootId(),
    pidNamespace: JSON.parse(readFileSync(path.join(run, 'lock'), 'utf8')).pidNamespace as string,
    nonce: 'aaaaaaaaaaaaaaaa',
    ...more,
  });
/** Leaves a lock as another process would have. */
async function left(more: object): Promise<void> {
  const own = await lockDataDir(dataDir, socket);
  const text = holder(more);
  own.close();
  writeFileSync(path.join(run, 'lock'), text);
}

test('a directory has one holder, who gives it back; nothing else is left of the lock', async () => {
  const first = await lockDataDir(dataDir, socket);
  await expect(lockDataDir(dataDir, socket)).rejects.toThrow(
    `dataDir: another server runs with '${dataDir}'; stop it, or give this one another dataDir. It is process ${process.pid}`,
  );
  expect(readdirSync(run)).toEqual(['lock']);
  first.close();
  expect(readdirSync(run)).toEqual([]);
  (await lockDataDir(dataDir, socket)).close();
});

test.each([
  ['a process that has gone', { pid: 4_194_304 }],
  ['another process with the same number', { startTime: '1' }],
  ['a time before the machine was restarted', { bootId: 'another-boot' }],
])('the lock of %s is succeeded', async (_what, more) => {
  await left(more);
  const lock = await lockDataDir(dataDir, socket);
  expect(readdirSync(run)).toEqual(['lock']);
  expect(JSON.parse(readFileSync(path.join(run, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid });
  await expect(lockDataDir(dataDir, socket)).rejects.toThrow('another server runs');
  lock.close();
});

test('a lock that a crash of the machine cut is succeeded, and so is one whose successor died before it had tidied', async () => {
  writeFileSync(path.join(run, 'lock'), '');
  (await lockDataDir(dataDir, socket)).close();
  await left({ startTime: '1', nonce: 'bbbbbbbbbbbbbbbb' });
  writeFileSync(path.join(run, 'lock.bbbbbbbbbbbbbbbb'), '{"pid":');
  const lock = await lockDataDir(dataDir, socket);
  expect(readdirSync(run)).toEqual(['lock']);
  lock.close();
});

test('a server that answers on the control socket has the directory, whatever the lock says', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onTestFinished(() => void server.close());
  await expect(lockDataDir(dataDir, socket)).rejects.toThrow('It answers on its control socket');
  expect(readdirSync(run)).toEqual(['control.sock']);
});

test('of several servers that find the same stale lock in the same moment, one has the directory', async () => {
  await left({ startTime: '1' });
  const script = path.join(dataDir, 'take.mts');
  writeFileSync(
    script,
    `import { lockDataDir } from ${JSON.stringify(path.join(root, 'server/config/data-dir-lock.ts'))};
     process.stdin.once('data', async () => {
       const said = await lockDataDir(process.argv[2]!, process.argv[3]!).then(() => 'taken', () => 'refused');
       process.stdout.write(said + '\\n');
     });
     process.stdout.write('here\\n');`,
  );
  const children = Array.from({ length: 6 }, () =>
    spawn(
      process.execPath,
      ['--import', path.join(root, 'node_modules/tsx/dist/loader.mjs'), script, dataDir, socket],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    ),
  );
  onTestFinished(() => children.forEach((child) => void child.kill('SIGKILL')));
  const line = (index: number): Promise<string> =>
    new Promise((resolve) => children[index]!.stdout.once('data', (text: Buffer) => resolve(text.toString().trim())));
  await Promise.all(children.map((_, index) => line(index)));
  const answers = children.map((_, index) => line(index));
  for (const child of children) child.stdin.write('go\n');
  expect((await Promise.all(answers)).sort()).toEqual([...Array<string>(5).fill('refused'), 'taken']);
});
