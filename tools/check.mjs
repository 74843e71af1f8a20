// npm run check: types, lint, format, drift of generated files, size of the page. Runs all, then fails if any failed.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const bin = (name) => path.join(root, 'node_modules', name);

/** @type {[name: string, args: string[]][]} */
const checks = [
  ['types', [bin('typescript/bin/tsc'), '-p', '.']],
  ['types of the page', [bin('typescript/bin/tsc'), '-p', 'web']],
  ['lint', [bin('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings']],
  ['format', [bin('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.']],
  ['generated files', [bin('tsx/dist/cli.mjs'), 'tools/generate.ts', '--check']],
  ['page size', ['tools/page-size.mjs']],
];

const failed = [];
for (const [name, args] of checks) {
  const since = performance.now();
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  process.stdout.write(
    `check: ${name}: ${status === 0 ? 'ok' : 'FAILED'} (${((performance.now() - since) / 1000).toFixed(1)} s)\n`,
  );
  if (status !== 0) failed.push(name);
}
if (failed.length > 0) {
  process.stderr.write(`check: failed: ${failed.join(', ')}\n`);
  process.exit(1);
}
