// Builds dist/: server (tsc), page (vite), agent (one Python file), and the Python files that lie beside server code.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { buildAgent } from './agent.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const dist = path.join(root, 'dist');
const only = process.argv.slice(2);
const wanted = (part) => only.length === 0 || only.includes(part);

function run(program, args) {
  const { status } = spawnSync(process.execPath, [path.join(root, 'node_modules', program), ...args], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}

if (wanted('server')) {
  for (const part of ['server', 'contract', 'interlink'])
    rmSync(path.join(dist, part), { recursive: true, force: true });
  run('typescript/bin/tsc', ['-p', 'tsconfig.build.json']);
  for (const entry of readdirSync(path.join(root, 'server'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.py')) continue;
    const from = path.join(entry.parentPath, entry.name);
    const to = path.join(dist, path.relative(root, from));
    mkdirSync(path.dirname(to), { recursive: true });
    cpSync(from, to);
  }
}
if (wanted('agent')) {
  mkdirSync(dist, { recursive: true });
  buildAgent(path.join(dist, 'agent.py'));
}
if (wanted('web')) run('vite/bin/vite.js', ['build', '--config', 'web/vite.config.ts', '--logLevel', 'warn']);
