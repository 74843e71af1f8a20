// npm test: Python unit tests, vitest, Playwright; each reports JSON, and the sum is the closing line `N passed, N failed`.
// A skipped test counts as failed: nothing may be left out silently.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const reports = mkdtempSync(path.join(os.tmpdir(), 'linkspan-test-'));
const python = path.join(root, '.cache/python/bin/python');
const only = process.argv.slice(2);
const total = { passed: 0, failed: 0 };

/** Adds a runner's counts; a runner that failed without a failed test counts as one failure. */
function add(name, { passed, failed, skipped }, status) {
  const extra = status !== 0 && failed === 0 && skipped === 0 ? 1 : 0;
  total.passed += passed;
  total.failed += failed + skipped + extra;
  process.stdout.write(
    `test: ${name}: ${passed} passed, ${failed + extra} failed${skipped > 0 ? `, ${skipped} skipped (counted as failed)` : ''}\n`,
  );
}

const none = { passed: 0, failed: 0, skipped: 0 };
const readJson = (file) => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined);

const runners = {
  python() {
    const file = path.join(reports, 'python.json');
    const { status } = spawnSync(python, ['tools/python-tests.py', file], { cwd: root, stdio: 'inherit' });
    add('python', readJson(file) ?? none, status);
  },
  vitest() {
    const file = path.join(reports, 'vitest.json');
    const args = [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
    ];
    const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
    const report = readJson(file);
    const counts = report && {
      passed: report.numPassedTests,
      failed: report.numFailedTests,
      skipped: report.numPendingTests + report.numTodoTests,
    };
    add('vitest', counts ?? none, status);
  },
  browser() {
    const file = path.join(reports, 'playwright.json');
    const { status } = spawnSync(process.execPath, ['node_modules/playwright/cli.js', 'test', '--reporter=list,json'], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, PLAYWRIGHT_JSON_OUTPUT_FILE: file, PLAYWRIGHT_JSON_OUTPUT_NAME: file },
    });
    const stats = readJson(file)?.stats;
    add(
      'browser',
      stats ? { passed: stats.expected, failed: stats.unexpected + stats.flaky, skipped: stats.skipped } : none,
      status,
    );
  },
};

mkdirSync(reports, { recursive: true });
for (const [name, run] of Object.entries(runners)) if (only.length === 0 || only.includes(name)) run();
rmSync(reports, { recursive: true, force: true });
process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
