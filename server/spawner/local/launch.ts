// Starts the parent of a session and hands it its job through a pipe: nothing secret in argv or on disk.
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { PortalError } from '../../../contract/errors.ts';
import type { SessionSpec } from '../spec.ts';
import type { PythonFacts } from './python.ts';
import { inside, sandboxArguments, type Sandbox } from './sandbox.ts';

export const logFiles = 3;
const parentFile = fileURLToPath(new URL('./parent.py', import.meta.url));

export interface LaunchOptions {
  spec: SessionSpec;
  directory: string;
  home: string;
  python: PythonFacts;
  agentFile: string;
  sandbox: Sandbox;
  logBytes: number;
}

/**
 * Makes home and folders, starts the parent and returns its pid.
 * @throws PortalError start-failed with what the machine said
 */
export async function launch(options: LaunchOptions): Promise<number> {
  const { spec, directory, home, python, sandbox } = options;
  const tmp = path.join(directory, 'tmp');
  const etc = path.join(directory, 'etc');
  const homeInside = `/home/${spec.user.slug}`;
  for (const folder of [home, tmp, etc]) await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(
    path.join(etc, 'passwd'),
    `${spec.user.slug}:x:1000:1000::${homeInside}:/bin/bash\nnobody:x:65534:65534::/:/usr/sbin/nologin\n`,
  );
  await writeFile(path.join(etc, 'group'), `${spec.user.slug}:x:1000:\nnogroup:x:65534:\n`);

  const view = { python, agentFile: options.agentFile, home: { host: home, inside: homeInside }, tmp, etc };
  const command = (agent: string): string[] => [python.executable, '-I', agent];
  const argv = sandbox.available
    ? [sandbox.bwrap, ...sandboxArguments(view, true), ...command(inside.agent)]
    : command(options.agentFile);
  const job = {
    directory,
    argv,
    cwd: sandbox.available ? '/' : home,
    sandboxed: sandbox.available,
    env: environment(options, sandbox.available ? homeInside : home, sandbox.available ? '/tmp' : tmp),
    logBytes: options.logBytes,
    logFiles,
  };
  return startParent(python.executable, JSON.stringify(job));
}

/** The whole environment of the agent; nothing of the server's own goes on. */
function environment({ spec, python, sandbox }: LaunchOptions, home: string, tmp: string): Record<string, string> {
  const app = spec.app.kind === 'jupyterlab' ? { ...spec.app, rootDir: home } : { ...spec.app, rootDir: home };
  return {
    ...spec.env,
    HOME: home,
    USER: spec.user.slug,
    LOGNAME: spec.user.slug,
    SHELL: '/bin/bash',
    TERM: 'xterm-256color',
    LANG: 'C.UTF-8',
    PATH: [path.dirname(python.executable), '/usr/local/bin', '/usr/bin', '/bin'].join(':'),
    TMPDIR: tmp,
    ...(sandbox.available ? { LINKSPAN_PRIVATE_DIR: inside.private } : {}),
    LINKSPAN_URL: spec.enrol.url,
    LINKSPAN_SESSION: spec.sessionId,
    LINKSPAN_ENROL: spec.enrol.token,
    LINKSPAN_APP: JSON.stringify(app),
    LINKSPAN_MAX_AGE: String(spec.maxAgeSeconds),
    LINKSPAN_AWAY: String(spec.awaySeconds),
    LINKSPAN_READY_TIMEOUT: String(spec.readyTimeoutSeconds),
    ...(spec.walltimeSeconds === null ? {} : { LINKSPAN_WALLTIME: String(spec.walltimeSeconds) }),
  };
}

async function startParent(python: string, job: string): Promise<number> {
  const child = spawn(python, ['-I', '-S', parentFile], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: {},
    cwd: '/',
  });
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', resolve);
    });
  } catch (error) {
    throw new PortalError('start-failed', {
      message: `The session could not be started: ${(error as Error).message}.`,
      cause: error,
    });
  }
  child.unref();
  child.stdin.on('error', () => undefined); // a parent that found another one alive leaves without reading all
  child.stdin.end(job);
  if (child.pid === undefined) throw new PortalError('start-failed', { detail: 'no pid' });
  return child.pid;
}
