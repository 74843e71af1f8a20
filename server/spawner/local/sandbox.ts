// The sandbox of local sessions: bubblewrap with an empty root, listed read-only binds, own home, no capabilities,
// own process list. The network is shared: the agent dials the portal on loopback.
import { execFile } from 'node:child_process';
import { existsSync, lstatSync, readlinkSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { hostname, ownEtc } from './etc.ts';
import type { PythonFacts } from './python.ts';

const run = promisify(execFile);

export type Sandbox = { available: true; bwrap: string } | { available: false; reason: string };

export interface View {
  python: PythonFacts;
  agentFile: string;
  /** Home on the host and where it is seen inside. */
  home: { host: string; inside: string };
  /** Folder on the host that is /tmp inside: on disk, since what people put there would fill the memory. */
  tmp: string;
  /** Folder on the host with the own files of /etc. */
  etc: string;
}

/** Where the agent file and the place of its private directory are inside. */
export const inside = { agent: '/opt/linkspan/agent.py', private: '/run/linkspan' } as const;

const systemFolders = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
/** Root may set the kernel's switches here without any capability, and a sandbox that root started belongs to root outside. */
const kernelFolders = ['/proc/sys', '/proc/sysrq-trigger', '/proc/irq', '/proc/bus'];
/** Nothing with a key in it: /etc/ssl/private and /etc/pki/tls/private belong to root, and so does a sandbox that root started. */
const etcEntries = [
  'alternatives',
  'ca-certificates',
  'crypto-policies',
  'fonts',
  'host.conf',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'mime.types',
  'pki/ca-trust/extracted',
  'pki/tls/certs',
  'protocols',
  'resolv.conf',
  'services',
  'ssl/cert.pem',
  'ssl/certs',
  'ssl/openssl.cnf',
  'timezone',
];

/** @returns bubblewrap's arguments up to the command; `{info}` is replaced by the parent's descriptor number */
export function sandboxArguments(view: View, withInfo: boolean): string[] {
  const folders = systemFolders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      lstatSync(folder).isSymbolicLink() ? ['--symlink', readlinkSync(folder), folder] : ['--ro-bind', folder, folder],
    );
  const options = [
    ['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ['--uid', '1000', '--gid', '1000', '--hostname', hostname, '--cap-drop', 'ALL'],
    ['--new-session', '--die-with-parent', '--as-pid-1', ...(withInfo ? ['--info-fd', '{info}'] : [])],
    ['--ro-bind', '/usr', '/usr', ...folders],
    etcEntries.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    ownEtc.flatMap((name) => ['--ro-bind', path.join(view.etc, name), `/etc/${name}`]),
    ['--proc', '/proc', ...kernelFolders.flatMap((name) => ['--ro-bind-try', name, name])],
    ['--dev', '/dev', '--perms', '0700', '--tmpfs', inside.private],
    pythonFolders(view.python).flatMap((folder) => ['--ro-bind', folder, folder]),
    ['--ro-bind', view.agentFile, inside.agent, '--bind', view.tmp, '/tmp'],
    ['--bind', view.home.host, view.home.inside, '--remount-ro', '/', '--chdir', view.home.inside, '--'],
  ];
  return options.flat();
}

const pythonFolders = (python: PythonFacts): string[] =>
  python.prefixes.filter((prefix) => prefix !== '/usr' && !prefix.startsWith('/usr/'));

/**
 * @param secrets files and folders that no session may see
 * @returns the first that a read-only bind would show, as a sentence
 */
export function exposed(view: Pick<View, 'python'>, secrets: readonly string[]): string | undefined {
  const ofSystem = ['/usr', ...systemFolders, ...etcEntries.map((name) => `/etc/${name}`)].map(real);
  const ofPython = pythonFolders(view.python).map(real);
  for (const secret of secrets) {
    const at = real(secret);
    const shows = (one: string): boolean => at === one || at.startsWith(one.endsWith('/') ? one : `${one}/`);
    const folder = ofSystem.find(shows) ?? ofPython.find(shows);
    if (folder === undefined) continue;
    const remedy = ofSystem.includes(folder) ? 'move it elsewhere' : 'move it, or take a Python from elsewhere';
    return `sessions see '${folder}', and '${secret}' lies in it; ${remedy}`;
  }
  return undefined;
}

function real(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    const parent = path.dirname(path.resolve(file));
    return parent === path.resolve(file) ? parent : path.join(real(parent), path.basename(file));
  }
}

/**
 * Tries a run with the real list of binds: only that makes a sandbox 'available'.
 * @returns available, or the reason why not
 */
export async function probeSandbox(view: View, secrets: readonly string[]): Promise<Sandbox> {
  const places = ['/usr/bin/bwrap', '/usr/local/bin/bwrap', '/bin/bwrap'];
  const bwrap = places.find((candidate) => existsSync(candidate));
  if (bwrap === undefined) return { available: false, reason: 'bubblewrap (bwrap) is not installed' };
  const shown = exposed(view, secrets);
  if (shown !== undefined) return { available: false, reason: shown };
  try {
    const command = [view.python.executable, '-I', '-c', 'import ssl, ctypes'];
    await run(bwrap, [...sandboxArguments(view, false), ...command], { timeout: 20_000, env: {} });
    return { available: true, bwrap };
  } catch (error) {
    const stderr = (error as { stderr?: string }).stderr?.trim();
    return { available: false, reason: `a trial run of bubblewrap failed: ${stderr || (error as Error).message}` };
  }
}
