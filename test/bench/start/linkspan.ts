// Linkspan as people run it: `npm start` on a free port, ada, and her sessions, through the API and the gateway.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { send } from '../../kit/http.ts';
import type { Person } from '../../kit/person.ts';
import { freePort } from '../../kit/ports.ts';
import { endProcessesOf } from '../../kit/processes.ts';
import { until } from '../../kit/until.ts';

const packageRoot = fileURLToPath(new URL('../../..', import.meta.url));

export interface Linkspan {
  port: number;
  portal: string;
  /** Seconds from `npm start` to the first 200 of /readyz. */
  readySeconds: number;
  password: string;
  /** Resident memory of the server, MB of 10^6 bytes. */
  residentMegabytes(): Promise<number>;
  /** Sessions stay. */
  stop(): Promise<void>;
}

export async function dataFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'ls-bench-'));
  return {
    path: folder,
    remove: async () => {
      await endProcessesOf(folder);
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}

/** @param dataDir of which the first start prints ada's password */
export async function npmStart(dataDir: string): Promise<Linkspan> {
  const port = await freePort();
  const since = performance.now();
  const child = spawn('npm', ['start'], {
    cwd: packageRoot,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      LINKSPAN_LISTEN_PORT: String(port),
      LINKSPAN_DATA_DIR: dataDir,
      LINKSPAN_LOG_LEVEL: 'error',
    },
  });
  let output = '';
  child.stdout.on('data', (part: Buffer) => (output += part.toString()));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ask = new URL(`http://localhost:${port}/readyz`);
  await until(
    () =>
      send(port, 'GET', ask, { host: ask.host }).then(
        ({ status }) => status === 200,
        () => false,
      ),
    `npm start: ${output}`,
    600,
  );
  const readySeconds = (performance.now() - since) / 1000;
  await until(() => output.includes('Linkspan is ready'), 'its closing line');
  const server = await serverOf(child.pid!);
  return {
    port,
    portal: `http://localhost:${port}`,
    readySeconds,
    password: /^ {2}ada +(\S+)$/m.exec(output)?.[1] ?? '',
    residentMegabytes: async () => {
      const status = await readFile(`/proc/${server}/status`, 'utf8');
      return (Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1024) / 1e6;
    },
    stop: async () => {
      process.kill(server, 'SIGTERM');
      await exited;
    },
  };
}

/** The node process that serves, below npm and its shell. */
async function serverOf(pid: number): Promise<number> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8');
  if (command.includes('dist/server/main.js') && !command.startsWith('sh\0')) return pid;
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ');
  return await serverOf(Number(children.at(-1)));
}

export interface Start {
  /** POST of the session to the first 200 of GET /lab at its host. */
  seconds: number;
  /** Of these, what is not JupyterLab's own: POST to exec, and its first answer to the first 200 at the gateway. */
  ownSeconds: number;
}

/** Starts a session as the page does, waits by polling, and stops it again. */
export async function clickToLab(ada: Person): Promise<Start> {
  const posted = Date.now();
  const { id, url } = await ada.start();
  for (;;) {
    const { state } = await ada.session(id);
    if (state === 'ready') break;
    await pause(pollMilliseconds);
  }
  const lab = await ada.client.get(`${url}lab`, { navigate: true, follow: 6 });
  const arrived = Date.now();
  if (lab.status !== 200) throw new Error(`GET /lab: ${lab.status} ${lab.text}`);
  const { appStartedAt, appAnsweredAt } = await ada.session(id);
  await ada.stop(id);
  return {
    seconds: (arrived - posted) / 1000,
    ownSeconds: (Date.parse(appStartedAt!) - posted + arrived - Date.parse(appAnsweredAt!)) / 1000,
  };
}

/** Both systems are asked this often whether the session is ready. */
export const pollMilliseconds = 20;
