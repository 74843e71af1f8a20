#!/usr/bin/env node
// argv and signals. Every error that a person can do something about is one sentence on standard error.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { serveCommand } from './cli/serve.ts';
import { sessionsCommand } from './cli/sessions.ts';
import { ConfigError } from './config/settings.ts';
import { FileError } from './lib/yaml-file.ts';

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** The folder of package.json: one up from server/ in the sources, two up in dist/server/. */
function packageRoot(): string {
  let at = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(at, 'package.json')) && path.dirname(at) !== at) at = path.dirname(at);
  return at;
}

const program = new Command('linkspan')
  .description('JupyterLab wherever the compute is')
  .addCommand(serveCommand(print, packageRoot()))
  .addCommand(sessionsCommand(print));

process.on('unhandledRejection', (error) => fail(error));

try {
  await program.parseAsync();
} catch (error) {
  fail(error);
}

function fail(error: unknown): never {
  if (error instanceof ConfigError || error instanceof FileError) {
    process.stderr.write(
      `linkspan: the configuration is not right:\n${error.problems.map((problem) => `  ${problem}`).join('\n')}\n`,
    );
  } else process.stderr.write(`linkspan: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
