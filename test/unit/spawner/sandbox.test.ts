// The list of binds, and what makes a sandbox unavailable.
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exposed, probeSandbox, sandboxArguments, type View } from '../../../server/spawner/local/sandbox.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'ls-sandbox-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const view = (prefixes: string[] = []): View => ({
  python: { executable: '/usr/bin/python3', version: [3, 11], prefixes, jupyterlab: null, jupyterServer: null },
  agentFile: '/srv/agent.py',
  home: { host: '/data/homes/ada', inside: '/home/ada' },
  tmp: '/data/sessions/x/tmp',
  etc: '/data/sessions/x/etc',
});

test('only home and tmp are bound for writing, and the rest of the root is read-only', () => {
  const list = sandboxArguments(view(['/opt/python', '/usr', '/usr/local']), true);
  const binds = list.flatMap((word, index) => (word === '--bind' ? [list.slice(index + 1, index + 3)] : []));
  expect(binds).toEqual([
    ['/data/sessions/x/tmp', '/tmp'],
    ['/data/homes/ada', '/home/ada'],
  ]);
  expect(list.filter((word) => word === '/opt/python')).toHaveLength(2);
  expect(list).not.toContain('/usr/local');
  expect(list).not.toContain('--share-net');
  for (const word of [
    '--unshare-user',
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--new-session',
    '--die-with-parent',
  ])
    expect(list).toContain(word);
  expect(list.slice(list.indexOf('--cap-drop'), list.indexOf('--cap-drop') + 2)).toEqual(['--cap-drop', 'ALL']);
  expect(list.slice(list.indexOf('--remount-ro'), list.indexOf('--remount-ro') + 2)).toEqual(['--remount-ro', '/']);
  expect(list.at(-1)).toBe('--');
});

test('what lies in a folder that sessions see is exposed, also behind a link; a neighbour with the same beginning is not', async () => {
  await mkdir(path.join(folder, 'python/data'), { recursive: true });
  await mkdir(path.join(folder, 'python-data'));
  await symlink(path.join(folder, 'python'), path.join(folder, 'link'));
  const given = view([path.join(folder, 'link')]);
  expect(exposed(given, [path.join(folder, 'python/data')])).toContain('python/data');
  expect(exposed(given, [path.join(folder, 'python/data/not/yet/there.key')])).toContain('there.key');
  expect(exposed(given, [path.join(folder, 'python')])).toBeDefined();
  expect(exposed(given, [path.join(folder, 'python-data'), folder])).toBeUndefined();
  expect(exposed(view(), ['/usr/share/linkspan/.linkspan'])).toContain("'/usr'");
});

test('what lies in the parts of /etc that sessions see is exposed; a key in its private folder beside them is not', () => {
  expect(exposed(view(), ['/etc/ssl/certs/portal.key'])).toMatch(/certs'.*portal\.key.*move it elsewhere/);
  expect(exposed(view(), ['/etc/pki/tls/certs/portal.key'])).toContain('portal.key');
  expect(exposed(view(), ['/etc/ssl/private/portal.key', '/etc/linkspan/linkspan.yaml'])).toBeUndefined();
});

test('a sandbox that would show a secret is not available', async () => {
  const sandbox = await probeSandbox(view([folder]), [path.join(folder, 'data')]);
  expect(sandbox).toMatchObject({ available: false });
  expect(sandbox.available ? '' : sandbox.reason).toContain('lies in it');
});

test('a sandbox whose trial run fails is not available, and the reason is what bubblewrap said', async () => {
  const sandbox = await probeSandbox(view(), []);
  expect(sandbox.available ? '' : sandbox.reason).toMatch(/trial run of bubblewrap failed: bwrap: .*\/data\//);
});
