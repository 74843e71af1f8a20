// Starts the parent of a session and hands it its job through a pipe: nothing secret in argv or on disk.
import { spawn, type ChildProcess } from 'node:child_process';
import { access, chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { PortalError } from '../../../contract/errors.ts';
import type { SessionSpec } from '../spec.ts';
import { writeEtc } from './etc.ts';
import { makeGroups, type Place } from './limits.ts';
import type { PythonFacts } from './python.ts';
import { tmpOf } from './remains.ts';
import { inside, sandboxArguments, type Sandbox, type View } from './sandbox.ts';

export const logFiles = 3;
const parentFile = fileURLToPath(new URL('./parent.py', import.meta.url));

const Answer = z.discriminatedUnion('state', [
  z.object({ state: z.literal('started'), pid: z.number(), startTime: z.string() }),
  /** Another parent of this session lives. */
  z.object({ state: z.literal('taken') }),
  /** This run has ended before. */
  z.object({ state: z.literal('over') }),
  z.object({ state: z.literal('failed'), reason: z.string() }),
]);
export type Launched = Exclude<z.infer<typeof Answer>, { state: 'failed' }>;

export interface LaunchOptions {
  spec: SessionSpec;
  directory: string;
  home: string;
  python: PythonFacts;
  agentFile: string;
  sandbox: Sandbox;
  logBytes: number;
  places: Place[];
}

/** Makes home, folders and the small files of /etc; all private. */
export async function prepareView(
  options: Pick<LaunchOptions, 'directory' | 'home' | 'python' | 'agentFile'>,
  slug: string,
): Promise<View> {
  const { directory, home, python, agentFile } = options;
  const view = {
    python,
    agentFile,
    home: { host: home, inside: `/home/${slug}` },
    tmp: tmpOf(directory),
    etc: path.join(directory, 'etc'),
  };
  for (const folder of [home, view.tmp, view.etc]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
  }
  await writeEtc(view.etc, slug, view.home.inside);
  return view;
}

/**
 * Starts agent and app below a parent that outlives this process.
 * @throws PortalError start-failed with what the machine said
 */
export async function launch(options: LaunchOptions): Promise<Launched> {
  const { spec, directory, home, python, agentFile, sandbox, logBytes } = options;
  try {
    await access(agentFile);
    const view = await prepareView(options, spec.user.slug);
    const command = (agent: string): string[] => [python.executable, '-I', agent];
    const job = {
      directory,
      argv: sandbox.available
        ? [sandbox.bwrap, ...sandboxArguments(view, true), ...command(inside.agent)]
        : command(agentFile),
      cwd: sandbox.available ? '/' : home,
      sandboxed: sandbox.available,
      env: sandbox.available
        ? { ...environment(options, view.home.inside, '/tmp'), LINKSPAN_PRIVATE_DIR: inside.private }
        : environment(options, home, view.tmp),
      cgroups: await makeGroups(options.places, spec.sessionId, spec.resources),
      logBytes,
      logFiles,
    };
    const answer = await startParent(python.executable, JSON.stringify(job));
    if (answer.state === 'failed') throw new Error(answer.reason);
    return answer;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PortalError('start-failed', {
      message: `This machine could not start the session: ${reason}.`,
      cause: error,
    });
  }
}

/** The whole environment of the agent; nothing of the server's own goes on. */
function environment({ spec, python }: LaunchOptions, home: string, tmp: string): Record<string, string> {
  const own = Object.entries(spec.env).filter(([name]) => !name.startsWith('LINKSPAN_'));
  return {
    LANG: 'C.UTF-8',
    TERM: 'xterm-256color',
    ...Object.fromEntries(own),
    HOME: home,
    USER: spec.user.slug,
    LOGNAME: spec.user.slug,
    SHELL: '/bin/bash',
    PATH: [path.dirname(python.executable), '/usr/local/bin', '/usr/bin', '/bin'].join(':'),
    TMPDIR: tmp,
    LINKSPAN_URL: spec.enrol.url,
    LINKSPAN_SESSION: spec.sessionId,
    LINKSPAN_ENROL: spec.enrol.token,
    LINKSPAN_APP: JSON.stringify({ ...spec.app, rootDir: home }),
    LINKSPAN_MAX_AGE: String(spec.maxAgeSeconds),
    LINKSPAN_AWAY: String(spec.awaySeconds),
    LINKSPAN_READY_TIMEOUT: String(spec.readyTimeoutSeconds),
    ...(spec.walltimeSeconds === null ? {} : { LINKSPAN_WALLTIME: String(spec.walltimeSeconds) }),
  };
}

async function startParent(python: string, job: string): Promise<z.infer<typeof Answer>> {
  const child = spawn(python, ['-I', '-S', parentFile], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {},
    cwd: '/',
  });
  child.unref();
  child.stdin.on('error', () => undefined); // told by the missing answer
  child.stdin.end(job);
  return Answer.parse(JSON.parse(await readAll(child)));
}

function readAll(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.once('error', reject);
    child.stdout?.on('data', (part: Buffer) => (text += part.toString('utf8')));
    child.stdout?.once('close', () =>
      text === '' ? reject(new Error('the parent process ended before it answered')) : resolve(text),
    );
  });
}
