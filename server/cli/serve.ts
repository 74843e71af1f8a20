// linkspan serve: load, settle, run, and leave sessions running at the end.
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { Command } from 'commander';
import { createApp } from '../app.ts';
import { configFile, loadConfig } from '../config/load.ts';
import { settle } from '../config/settings.ts';
import { systemClock } from '../lib/clock.ts';
import { makeLog } from '../lib/log.ts';

interface Flags {
  config?: string;
  host?: string;
  port?: string;
  dataDir?: string;
  logLevel?: string;
}

/**
 * @param print where output for a person goes
 * @param packageRoot folder of package.json
 */
export function serveCommand(print: (line: string) => void, packageRoot: string): Command {
  return new Command('serve')
    .description('run the portal and the gateway')
    .option('--config <file>', 'configuration file (default: linkspan.yaml, if there is one)')
    .option('--host <address>', 'address to listen on (listen.host)')
    .option('--port <number>', 'port to listen on (listen.port)')
    .option('--data-dir <dir>', 'data directory (dataDir)')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent (log.level)')
    .action(async (flags: Flags) => {
      const source = { file: flags.config, env: process.env, directory: process.cwd() };
      const config = loadConfig({
        ...source,
        flags: {
          'listen.host': flags.host,
          'listen.port': flags.port === undefined ? undefined : Number(flags.port),
          dataDir: flags.dataDir,
          'log.level': flags.logLevel,
        },
      });
      const port = config.listen.port === 0 ? await freePort() : config.listen.port;
      const { at } = configFile(source);
      const settings = settle(config, port, existsSync(at) ? at : undefined);
      const log = makeLog(config.log.level);
      const app = await createApp({ settings, clock: systemClock, log, packageRoot });
      for (const note of app.notes) print(`! ${note}`);
      if (app.fresh.length > 0) {
        print('');
        print('Demo people (shown this once; delete the data directory to begin anew):');
        for (const { username, password } of app.fresh) print(`  ${username.padEnd(6)} ${password}`);
        print('');
      }
      print(`Linkspan is ready: ${app.url}`);
      await ended();
      log.info('closing; sessions go on');
      const force = setTimeout(() => process.exit(1), 10_000);
      await app.close();
      clearTimeout(force);
      process.exit(0);
    });
}

/** Resolves at SIGTERM or SIGINT. */
const ended = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
