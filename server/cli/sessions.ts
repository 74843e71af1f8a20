// linkspan sessions list|stop: for the administrator of the machine, through the 0600 control socket.
import path from 'node:path';
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { callControl } from './control-client.ts';
import { controlPath } from './control-path.ts';

interface Row {
  id: string;
  user: string;
  profile: string;
  site: string;
  state: string;
  createdAt: string;
  words: string;
}

interface Where {
  dataDir?: string;
  config?: string;
}

/** @param print where output for a person goes */
export function sessionsCommand(print: (line: string) => void): Command {
  const command = new Command('sessions').description('list and stop sessions of a running server');
  const dataDir = ['--data-dir <dir>', 'data directory of the server'] as const;
  const config = [
    '--config <file>',
    'configuration file of the server (default: linkspan.yaml, if there is one)',
  ] as const;
  const socketOf = (options: Where): string =>
    controlPath(
      path.resolve(
        options.dataDir ??
          loadConfig({ file: options.config, env: process.env, flags: {}, directory: process.cwd() }).dataDir,
      ),
    );

  command
    .command('list')
    .description('all sessions that have not ended; with --all also ended ones')
    .option(...dataDir)
    .option(...config)
    .option('--all', 'also ended sessions', false)
    .option('--json', 'as JSON', false)
    .action(async (options: Where & { all: boolean; json: boolean }) => {
      const { items } = await callControl<{ items: Row[] }>(
        socketOf(options),
        'GET',
        `/control/sessions?all=${options.all}`,
      );
      if (options.json) return print(JSON.stringify(items, undefined, 2));
      for (const line of columns(items)) print(line);
    });

  command
    .command('stop <id>')
    .description('stop a session as administrator; returns when the site has confirmed that nothing is left')
    .option(...dataDir)
    .option(...config)
    .action(async (id: string, options: Where) => {
      const row = await callControl<Row>(socketOf(options), 'POST', `/control/sessions/${encodeURIComponent(id)}/stop`);
      print(`${row.id}: ${row.state}. ${row.words}`);
    });
  return command;
}

function columns(rows: Row[]): string[] {
  const table = [
    ['ID', 'USER', 'PROFILE', 'SITE', 'STATE', 'SINCE'],
    ...rows.map((row) => [row.id, row.user, row.profile, row.site, row.state, row.createdAt]),
  ];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((cells) => cells[column]!.length)));
  return table.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}
