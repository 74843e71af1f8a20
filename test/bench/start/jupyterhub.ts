// The peer: JupyterHub with SimpleLocalProcessSpawner, dummy authenticator and configurable-http-proxy, started and asked
// through its REST API. Installed once into the cache, beside the same JupyterLab that Linkspan runs.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { send, type Answer } from '../../kit/http.ts';
import { freePort } from '../../kit/ports.ts';
import { endProcessesOf } from '../../kit/processes.ts';
import { until } from '../../kit/until.ts';
import { pollMilliseconds } from './linkspan.ts';

const packageRoot = fileURLToPath(new URL('../../..', import.meta.url));
const cache = path.join(packageRoot, '.cache/bench-peer');
const python = path.join(cache, 'python/bin/python');
const proxy = path.join(cache, 'node_modules/.bin/configurable-http-proxy');
const token = 'bench-token-0123456789abcdef';

/** @returns the versions that are compared */
export function installPeer(): string {
  const complete = path.join(cache, 'complete');
  if (!existsSync(complete)) {
    rmSync(cache, { recursive: true, force: true });
    const run = (command: string, ...words: string[]): void =>
      void execFileSync(command, words, { cwd: packageRoot, stdio: ['ignore', 'ignore', 'inherit'] });
    const own = path.join(packageRoot, '.cache/python/bin/python');
    run(own, '-m', 'venv', path.join(cache, 'python'));
    // The same versions, as they are installed for Linkspan; what JupyterHub needs comes on top.
    const frozen = execFileSync(own, ['-m', 'pip', 'freeze', '--disable-pip-version-check']).toString();
    writeFileSync(path.join(cache, 'frozen.txt'), frozen);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input'];
    run(python, ...pip, '-r', path.join(cache, 'frozen.txt'));
    run(python, ...pip, '-c', path.join(cache, 'frozen.txt'), 'jupyterhub==6.*');
    run('npm', 'install', '--silent', '--no-audit', '--no-fund', '--prefix', cache, 'configurable-http-proxy@5');
    writeFileSync(complete, '');
  }
  const version = (name: string): string =>
    execFileSync(python, ['-c', `from importlib.metadata import version; print(version("${name}"))`])
      .toString()
      .trim();
  const { version: chp } = JSON.parse(
    readFileSync(path.join(cache, 'node_modules/configurable-http-proxy/package.json'), 'utf8'),
  ) as { version: string };
  return `JupyterHub ${version('jupyterhub')}, configurable-http-proxy ${chp}, JupyterLab ${version('jupyterlab')}`;
}

export interface Peer {
  /** Seconds from POST to the first 200 of GET /lab. */
  clickToLab(): Promise<number>;
  close(): Promise<void>;
}

export async function startPeer(): Promise<Peer> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'ls-peer-'));
  const [port, apiPort, hubPort] = [await freePort(), await freePort(), await freePort()];
  const config = path.join(folder, 'jupyterhub_config.py');
  writeFileSync(
    config,
    [
      'c.JupyterHub.authenticator_class = "dummy"',
      'c.JupyterHub.spawner_class = "simple"',
      'c.Authenticator.allow_all = True',
      `c.JupyterHub.bind_url = "http://127.0.0.1:${port}"`,
      `c.JupyterHub.hub_bind_url = "http://127.0.0.1:${hubPort}"`,
      `c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:${apiPort}"`,
      `c.ConfigurableHTTPProxy.command = [${JSON.stringify(proxy)}]`,
      `c.SimpleLocalProcessSpawner.home_dir_template = ${JSON.stringify(path.join(folder, '{username}'))}`,
      `c.JupyterHub.services = [{"name": "bench", "api_token": "${token}"}]`,
      'c.JupyterHub.load_roles = [{"name": "bench", "services": ["bench"], "scopes": ["admin:users", "admin:servers", "access:servers"]}]',
      'c.Spawner.cmd = ["jupyterhub-singleuser", "--allow-root"]',
      'c.JupyterHub.log_level = "WARN"',
      'c.Spawner.debug = False',
      '',
    ].join('\n'),
  );
  const hub = spawn(python, ['-m', 'jupyterhub', '-f', config], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: `${path.dirname(python)}:${process.env['PATH']}` },
  });
  let log = '';
  hub.stderr.on('data', (part: Buffer) => (log = (log + part.toString()).slice(-4000)));
  const exited = new Promise<void>((resolve) => hub.once('exit', () => resolve()));
  const close = async (): Promise<void> => {
    hub.kill('SIGTERM');
    await exited;
    await endProcessesOf(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  };
  const ask = (method: string, address: string): Promise<Answer> => {
    const url = new URL(address, `http://127.0.0.1:${port}`);
    return send(port, method, url, { host: url.host, authorization: `token ${token}` });
  };
  try {
    await until(
      async () => (await ask('GET', '/hub/api/').catch(() => undefined))?.status === 200,
      `JupyterHub answers: ${log}`,
      60,
    );
    const made = await ask('POST', '/hub/api/users/ada');
    if (made.status !== 201) throw new Error(`user: ${made.status} ${made.text}`);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async clickToLab() {
      const posted = performance.now();
      const answer = await ask('POST', '/hub/api/users/ada/server');
      if (answer.status !== 201 && answer.status !== 202) throw new Error(`start: ${answer.status} ${answer.text}`);
      for (;;) {
        const { server } = (await ask('GET', '/hub/api/users/ada')).json<{ server: string | null }>();
        if (server !== null) break;
        await pause(pollMilliseconds);
      }
      await until(async () => (await ask('GET', '/user/ada/lab')).status === 200, 'GET /lab');
      const seconds = (performance.now() - posted) / 1000;
      await ask('DELETE', '/hub/api/users/ada/server');
      await until(
        async () =>
          Object.keys((await ask('GET', '/hub/api/users/ada')).json<{ servers: object }>().servers).length === 0,
        'the server has stopped',
      );
      return seconds;
    },
    close,
  };
}
