// Memory and CPU of a session as control groups, where this process may make them. Honoured: resources.memoryBytes and
// resources.cpus, on cgroup v1 below our own group, on v2 beside it (systemd: Delegate=yes with DelegateSubgroup=).
// Where no group can be made the session runs without a limit; GPUs are never limited here.
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { SessionSpec } from '../spec.ts';

export type Controller = 'memory' | 'cpu';
export interface Place {
  version: 1 | 2;
  controllers: Controller[];
  /** Where groups of sessions are made. */
  directory: string;
}

const periodMicroseconds = 100_000;

/**
 * @param mountinfo text of /proc/self/mountinfo (proc(5))
 * @param own text of /proc/self/cgroup (cgroups(7))
 */
export function cgroupPlaces(mountinfo: string, own: string): Place[] {
  const groups = own
    .trim()
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
    .flatMap((match) => (match ? [{ names: (match[1] ?? '').split(','), at: match[2] ?? '/' }] : []));
  const places: Place[] = [];
  for (const line of mountinfo.trim().split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , root = '/', mount = ''] = left.split(' ');
    const [kind = '', , options = ''] = right.split(' ');
    const names = options.split(',');
    const controllers = (['memory', 'cpu'] as const).filter((name) => kind === 'cgroup2' || names.includes(name));
    if (controllers.length === 0 || (kind !== 'cgroup' && kind !== 'cgroup2')) continue;
    const group = groups.find(({ names: of }) => of.includes(kind === 'cgroup2' ? '' : (controllers[0] ?? '')));
    if (!group) continue;
    // In a container the path may be told as seen from outside; then the mount is our own group.
    const within = root === '/' || group.at.startsWith(`${root}/`) || group.at === root;
    const at = within && root !== '/' ? group.at.slice(root.length) || '/' : within ? group.at : '/';
    if (kind === 'cgroup') places.push({ version: 1, controllers, directory: path.resolve(mount, `.${at}`) });
    else if (at !== '/') places.push({ version: 2, controllers, directory: path.dirname(path.join(mount, at)) });
  }
  return places;
}

/** @returns places on this machine; none where /proc does not tell */
export async function readPlaces(): Promise<Place[]> {
  try {
    const [mountinfo, own] = await Promise.all([
      readFile('/proc/self/mountinfo', 'utf8'),
      readFile('/proc/self/cgroup', 'utf8'),
    ]);
    return cgroupPlaces(mountinfo, own);
  } catch {
    return [];
  }
}

const groupOf = (place: Place, sessionId: string): string => path.join(place.directory, `linkspan-${sessionId}`);

/** @returns the folders of the groups that were made; the parent puts the session's first process into them and removes them at its end */
export async function makeGroups(
  places: Place[],
  sessionId: string,
  resources: SessionSpec['resources'],
): Promise<string[]> {
  const made: string[] = [];
  for (const place of places) {
    const settings = place.controllers.flatMap((controller) => setting(controller, place.version, resources));
    if (settings.length === 0) continue;
    const group = groupOf(place, sessionId);
    try {
      if (place.version === 2) await enable(place);
      await mkdir(group, { recursive: true });
      for (const [name, value] of settings) await writeFile(path.join(group, name), value, { flag: 'r+' });
      made.push(group);
    } catch {
      await rmdir(group).catch(() => undefined);
    }
  }
  return made;
}

/** For a session whose parent could not do it. */
export async function removeGroups(places: Place[], sessionId: string): Promise<void> {
  for (const place of places) await rmdir(groupOf(place, sessionId)).catch(() => undefined);
}

async function enable(place: Place): Promise<void> {
  const file = path.join(place.directory, 'cgroup.subtree_control');
  const enabled = (await readFile(file, 'utf8')).trim().split(' ');
  const missing = place.controllers.filter((name) => !enabled.includes(name));
  if (missing.length > 0) await writeFile(file, missing.map((name) => `+${name}`).join(' '), { flag: 'r+' });
}

function setting(
  controller: Controller,
  version: 1 | 2,
  { cpus, memoryBytes }: SessionSpec['resources'],
): [name: string, value: string][] {
  if (controller === 'memory') {
    if (memoryBytes === null) return [];
    return [[version === 1 ? 'memory.limit_in_bytes' : 'memory.max', String(memoryBytes)]];
  }
  if (cpus === null) return [];
  const quota = Math.max(1000, Math.round(cpus * periodMicroseconds));
  return [version === 1 ? ['cpu.cfs_quota_us', String(quota)] : ['cpu.max', `${quota} ${periodMicroseconds}`]];
}
