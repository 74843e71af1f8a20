// The sandbox of local sessions: bubblewrap with an empty root, listed read-only binds, own home, no capabilities,
// own process list. The network is shared: the agent dials the portal on loopback.
import { execFile } from 'node:child_process';
import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { PythonFacts } from './python.ts';

const run = promisify(execFile);

export type Sandbox = { available: true; bwrap: string } | { available: false; reason: string };

export interface View {
  python: PythonFacts;
  agentFile: string;
  /** Home on the host and where it is seen inside. */
  home: { host: string; inside: string };
  /** Folder on the host that is /tmp inside. */
  tmp: string;
  /** Folder on the host with passwd and group of this one person. */
  etc: string;
}

/** Where the agent file and its private directory are inside. */
export const inside = { agent: '/opt/linkspan/agent.py', private: '/run/linkspan' } as const;

const systemFolders = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
const etcEntries = [
  'alternatives',
  'ca-certificates',
  'fonts',
  'host.conf',
  'hosts',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'mime.types',
  'nsswitch.conf',
  'protocols',
  'resolv.conf',
  'services',
  'ssl',
  'timezone',
  'pki',
];

/** @returns bubblewrap's arguments up to the command; `{info}` is replaced by the parent's descriptor number */
export function sandboxArguments(view: View, withInfo: boolean): string[] {
  const folders = systemFolders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      lstatSync(folder).isSymbolicLink() ? ['--symlink', readlinkSync(folder), folder] : ['--ro-bind', folder, folder],
    );
  const outside = view.python.prefixes.filter((prefix) => prefix !== '/usr' && !prefix.startsWith('/usr/'));
  return [
    '--unshare-user',
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-cgroup-try',
    '--uid',
    '1000',
    '--gid',
    '1000',
    '--hostname',
    'session',
    '--cap-drop',
    'ALL',
    '--new-session',
    '--die-with-parent',
    '--as-pid-1',
    ...(withInfo ? ['--info-fd', '{info}'] : []),
    '--ro-bind',
    '/usr',
    '/usr',
    ...folders,
    ...etcEntries.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    '--ro-bind-try',
    path.join(view.etc, 'passwd'),
    '/etc/passwd',
    '--ro-bind-try',
    path.join(view.etc, 'group'),
    '/etc/group',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--perms',
    '0700',
    '--tmpfs',
    inside.private,
    ...outside.flatMap((prefix) => ['--ro-bind', prefix, prefix]),
    '--ro-bind',
    view.agentFile,
    inside.agent,
    '--bind',
    view.tmp,
    '/tmp',
    '--bind',
    view.home.host,
    view.home.inside,
    '--chdir',
    view.home.inside,
    '--',
  ];
}

/**
 * Tries a run with the real list of binds: only that makes a sandbox 'available'.
 * @returns available, or the reason why not
 */
export async function probeSandbox(view: View): Promise<Sandbox> {
  const bwrap = ['/usr/bin/bwrap', '/usr/local/bin/bwrap', '/bin/bwrap'].find((candidate) => existsSync(candidate));
  if (bwrap === undefined) return { available: false, reason: 'bubblewrap (bwrap) is not installed' };
  try {
    const command = [view.python.executable, '-I', '-c', 'import ssl, ctypes'];
    await run(bwrap, [...sandboxArguments(view, false), ...command], { timeout: 20_000, env: {} });
    return { available: true, bwrap };
  } catch (error) {
    const stderr = (error as { stderr?: string }).stderr?.trim();
    return { available: false, reason: `a trial run of bubblewrap failed: ${stderr || (error as Error).message}` };
  }
}
