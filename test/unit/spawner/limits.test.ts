// Control groups: where they are made, what is written, and that the real kernel keeps to it where this machine allows it.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { endedFact } from '../../../server/spawner/local/exit.ts';
import { cgroupPlaces, makeGroups, readPlaces, removeGroups } from '../../../server/spawner/local/limits.ts';
import { localSite, specOf } from '../../kit/local-site.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'ls-limits-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const mount = (at: string, kind: string, options: string, root = '/'): string =>
  `35 31 0:32 ${root} ${at} rw,relatime - ${kind} cgroup rw,${options}`;

test('version 1: below our own group of each controller', () => {
  const mounts = [
    mount('/c/memory', 'cgroup', 'memory'),
    mount('/c/cpu', 'cgroup', 'cpu,cpuacct'),
    mount('/c/pids', 'cgroup', 'pids'),
  ];
  expect(cgroupPlaces(mounts.join('\n'), '4:memory:/a/b\n3:cpu,cpuacct:/\n0::/\n')).toEqual([
    { version: 1, controllers: ['memory'], directory: '/c/memory/a/b' },
    { version: 1, controllers: ['cpu'], directory: '/c/cpu' },
  ]);
});

test('version 1 in a container: the mount is our own group, whatever path is told', () => {
  const mounts = mount('/c/memory', 'cgroup', 'memory', '/docker/x');
  expect(cgroupPlaces(mounts, '4:memory:/docker/x/y\n')[0]?.directory).toBe('/c/memory/y');
  expect(cgroupPlaces(mounts, '4:memory:/elsewhere\n')[0]?.directory).toBe('/c/memory');
});

test('version 2: beside our own group, since a group with processes gives no controllers to its children', () => {
  const mounts = mount('/c', 'cgroup2', 'nsdelegate');
  expect(cgroupPlaces(mounts, '0::/system.slice/linkspan.service/portal\n')).toEqual([
    { version: 2, controllers: ['memory', 'cpu'], directory: '/c/system.slice/linkspan.service' },
  ]);
  expect(cgroupPlaces(mounts, '0::/\n')).toEqual([]);
});

test('a group gets both limits of version 2, and controllers are switched on when they are off', async () => {
  await writeFile(path.join(folder, 'cgroup.subtree_control'), 'memory');
  const group = path.join(folder, 'linkspan-aaaaaaaaaaaaaaaa');
  await mkdir(group);
  for (const name of ['memory.max', 'cpu.max']) await writeFile(path.join(group, name), '');
  const place = { version: 2, controllers: ['memory', 'cpu'], directory: folder } as const;
  const resources = { cpus: 1.5, memoryBytes: 4096, gpus: 0 };
  expect(await makeGroups([{ ...place, controllers: [...place.controllers] }], 'aaaaaaaaaaaaaaaa', resources)).toEqual([
    group,
  ]);
  expect(await readFile(path.join(group, 'memory.max'), 'utf8')).toBe('4096');
  expect(await readFile(path.join(group, 'cpu.max'), 'utf8')).toBe('150000 100000');
  expect(await readFile(path.join(folder, 'cgroup.subtree_control'), 'utf8')).toContain('+cpu');
});

test('without a limit or a place that can be written there is no group', async () => {
  const place = { version: 1 as const, controllers: ['memory' as const], directory: path.join(folder, 'none/x') };
  expect(await makeGroups([place], 'aaaaaaaaaaaaaaaa', { cpus: 1, memoryBytes: null, gpus: 0 })).toEqual([]);
  await writeFile(path.join(folder, 'none'), '');
  expect(await makeGroups([place], 'aaaaaaaaaaaaaaaa', { cpus: 1, memoryBytes: 4096, gpus: 0 })).toEqual([]);
});

test('a kill for want of memory is told as such only when it ended the session', () => {
  const exit = { code: null, signal: 'SIGKILL', oom: true, at: 1 };
  expect(endedFact('s', exit).exit?.cause).toBe('oom');
  expect(endedFact('s', { ...exit, code: 86, signal: null }).exit?.cause).toBe('oom');
  expect(endedFact('s', { ...exit, code: 81, signal: null }).exit?.cause).toBe('exited');
  expect(endedFact('s', { ...exit, oom: false }).exit?.cause).toBe('exited');
});

test('a session that takes more memory than it has is ended by the kernel, and the group goes', async () => {
  const places = await readPlaces();
  const memory = places.filter((place) => place.controllers.includes('memory'));
  const resources = { cpus: null, memoryBytes: 67_108_864, gpus: 0 };
  const probe = await makeGroups(memory, 'probeprobeprobep', resources);
  await removeGroups(memory, 'probeprobeprobep');
  const site = await localSite();
  try {
    const spec = specOf('held = bytearray(300_000_000)\nprint("still here", flush=True)', { resources });
    await site.spawner.start(spec);
    const end = await site.ended(spec.sessionId);
    // Where no group can be made there is no limit, and the program gets what it asks for.
    expect(end.exit).toEqual(probe.length > 0 ? { cause: 'oom', signal: 'SIGKILL' } : { cause: 'exited', code: 0 });
    for (const place of places)
      expect(existsSync(path.join(place.directory, `linkspan-${spec.sessionId}`))).toBe(false);
  } finally {
    await site.close();
  }
});
