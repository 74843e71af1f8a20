// The server as people run it: a process of its own, from the build.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './ports.ts';
import { endProcessesOf } from './processes.ts';

const packageRoot = fileURLToPath(new URL('../..', import.meta.url));

export interface TestServer {
  port: number;
  /** Origin of the portal. */
  portal: string;
  dataDir: string;
  configFile: string;
  passwords: Map<string, string>;
  pid(): number;
  /** What it printed and logged so far. */
  output(): string;
  /** Ends it with a signal and waits until it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface ServerOptions {
  /** LINKSPAN_* variables. */
  env?: Record<string, string>;
  /** What linkspan.yaml holds. */
  config?: Record<string, unknown>;
  port?: number;
  /** Where its folder is made. */
  below?: string;
}

export async function startServer({
  env = {},
  config = {},
  below,
  port: wanted,
}: ServerOptions = {}): Promise<TestServer> {
  const folder = await mkdtemp(path.join(below ?? os.tmpdir(), 'ls-server-'));
  const dataDir = path.join(folder, 'data');
  const configFile = path.join(folder, 'linkspan.yaml');
  const port = wanted ?? (await freePort());
  await writeFile(configFile, JSON.stringify(config)); // JSON is YAML
  const { publicUrl = `http://localhost:${port}` } = config;
  const passwords = new Map<string, string>();
  let output = '';
  let child: ChildProcess | undefined;
  const exited = (): Promise<void> =>
    new Promise((resolve) => {
      if (!child || child.exitCode !== null || child.signalCode !== null) resolve();
      else child.once('exit', () => resolve());
    });
  const start = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const from = output.length;
      const words = ['--config', configFile, '--data-dir', dataDir, '--port', String(port)];
      child = spawn(process.execPath, [path.join(packageRoot, 'dist/server/main.js'), 'serve', ...words], {
        cwd: folder,
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const read = (part: Buffer): void => {
        output += part.toString();
        if (!output.slice(from).includes('Linkspan is ready: ')) return;
        for (const [, name, password] of output.matchAll(/^ {2}(ada|bela|cora) +(\S+)$/gm))
          passwords.set(name!, password!);
        resolve();
      };
      child.stdout!.on('data', read);
      child.stderr!.on('data', read);
      child.once('exit', (status) => reject(new Error(`the server ended with ${status}:\n${output.slice(from)}`)));
    });
  const close = async (): Promise<void> => {
    child?.kill('SIGKILL');
    await exited();
    await endProcessesOf(dataDir);
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  };
  try {
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    port,
    portal: String(publicUrl),
    configFile,
    dataDir,
    passwords,
    pid: () => child!.pid!,
    output: () => output,
    kill: async (signal) => {
      child!.kill(signal);
      await exited();
    },
    start,
    close,
  };
}
