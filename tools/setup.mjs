// Prepares a machine that has only Node and Python: node modules, a private Python environment with JupyterLab, the build.
// usage: node tools/setup.mjs start|test. Each step is skipped when its inputs are unchanged, and resumes after a failure.
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  closeSync,
  lstatSync,
  readlinkSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { hashOf } from './hash.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const cache = path.join(root, '.cache');
const marks = path.join(cache, 'setup');
const purpose = process.argv[2] ?? 'start';

/** A failed step: cause and remedy, for a person. */
class StepError extends Error {
  constructor(cause, remedy) {
    super(cause);
    this.remedy = remedy;
  }
}

const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** Runs a step unless its mark holds the same hash; writes the mark only after success. */
async function step(name, title, hash, work) {
  const mark = path.join(marks, name);
  if (existsSync(mark) && readFileSync(mark, 'utf8') === hash) return;
  const since = performance.now();
  process.stdout.write(`setup: ${title} ...\n`);
  await work();
  mkdirSync(marks, { recursive: true });
  writeFileSync(mark, hash);
  process.stdout.write(`setup: ${title}: done in ${seconds(since)}\n`);
}

/** Runs a program with its output in a log file; the last lines are shown when it fails. */
async function run(command, args, logName, { env = {}, remedy }) {
  mkdirSync(marks, { recursive: true });
  const logPath = path.join(marks, `${logName}.log`);
  const log = openSync(logPath, 'w');
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', log, log], env: { ...process.env, ...env } });
  const since = performance.now();
  const tell = setInterval(() => process.stdout.write(`setup:   still working, ${seconds(since)} so far\n`), 20_000);
  const code = await new Promise((resolve) => {
    child.on('error', () => resolve(-1));
    child.on('exit', (status) => resolve(status ?? -1));
  });
  clearInterval(tell);
  closeSync(log);
  if (code !== 0) {
    const tail = readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-15).join('\n  ');
    throw new StepError(`'${command} ${args.slice(0, 3).join(' ')} ...' ended with ${code}:\n  ${tail}`, remedy);
  }
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new StepError(`Node ${process.versions.node} is too old`, 'Install Node 20.19 or newer.');
  }
}

/** @returns {command, version: '3.11'} of a Python >= 3.10 */
function findPython() {
  const wanted = process.env.LINKSPAN_SETUP_PYTHON;
  const names = wanted ? [wanted] : ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python'];
  const seen = [];
  for (const command of names) {
    const answer = spawnSync(command, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'], {
      encoding: 'utf8',
    });
    const version = answer.status === 0 ? answer.stdout.trim() : undefined;
    if (version === undefined) continue;
    const [major, minor] = version.split('.').map(Number);
    if (major === 3 && minor >= 10) return { command, version };
    seen.push(`${command} is ${version}`);
  }
  throw new StepError(
    seen.length === 0
      ? `no Python was found (tried ${names.join(', ')})`
      : `no Python >= 3.10 was found: ${seen.join(', ')}`,
    'Install Python 3.10 or newer, or name one in LINKSPAN_SETUP_PYTHON.',
  );
}

async function setUpPython() {
  const python = findPython();
  const wishes = path.join(root, 'agent/requirements/jupyter.in');
  const exact = path.join(root, `agent/requirements/constraints-${python.version}.txt`);
  const hash = hashOf(root, ['agent/requirements'], python.version).slice(0, 16);
  // Shared by all checkouts of this person: making it costs a minute.
  const shared = path.join(
    process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'),
    'linkspan',
    `python-${python.version}-${hash}`,
  );
  const link = path.join(cache, 'python');
  await step('python', `Python ${python.version} environment with JupyterLab`, `${shared}`, async () => {
    if (!existsSync(path.join(shared, 'complete'))) {
      rmSync(shared, { recursive: true, force: true });
      mkdirSync(path.dirname(shared), { recursive: true });
      await run(python.command, ['-m', 'venv', shared], 'venv', {
        remedy: `Python's venv module is incomplete. On Debian and Ubuntu: apt-get install python${python.version}-venv.`,
      });
      const constraints = existsSync(exact) ? ['-c', exact] : [];
      await run(
        path.join(shared, 'bin/python'),
        ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '-r', wishes, ...constraints],
        'pip',
        {
          remedy: 'Is the package index reachable? Run the same command again: finished steps are not repeated.',
        },
      );
      writeFileSync(path.join(shared, 'complete'), '');
    }
    mkdirSync(cache, { recursive: true });
    rmSync(link, { force: true, recursive: isRealDirectory(link) });
    symlinkSync(shared, link);
  });
  if (!existsSync(path.join(link, 'bin/python'))) {
    rmSync(path.join(marks, 'python'), { force: true });
    throw new StepError(
      `the Python environment ${safeRead(link)} has gone`,
      'Run the same command again: it is made anew.',
    );
  }
}

const isRealDirectory = (at) => existsSync(at) && !lstatSync(at).isSymbolicLink();
const safeRead = (link) => {
  try {
    return readlinkSync(link);
  } catch {
    return link;
  }
};

/** Programs that tests need, and the Debian packages that have them. */
const programs = {
  chromium: 'chromium',
  bwrap: 'bubblewrap',
  ss: 'iproute2',
  openssl: 'openssl',
  certutil: 'libnss3-tools',
  ps: 'procps',
  git: 'git',
};
const has = (program) => spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0;
const hasPostgres = () => spawnSync('sh', ['-c', 'ls /usr/lib/postgresql/*/bin/postgres']).status === 0;

async function setUpTestPrograms() {
  const missing = Object.entries(programs)
    .filter(([program]) => !has(program))
    .map(([, name]) => name);
  if (!hasPostgres()) missing.push('postgresql');
  if (missing.length === 0) return;
  const list = missing.join(' ');
  if (process.getuid?.() !== 0 || !has('apt-get')) {
    throw new StepError(`tests need programs that are missing: ${list}`, `As root: apt-get install ${list}`);
  }
  // No mark: what is missing is looked up each time.
  const since = performance.now();
  process.stdout.write(`setup: system packages ${list} ...\n`);
  const remedy = `As root: apt-get update && apt-get install ${list}`;
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '-q'], 'apt-update', { env, remedy });
  await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing, 'fonts-dejavu-core'], 'apt', {
    env,
    remedy,
  });
  process.stdout.write(`setup: system packages: done in ${seconds(since)}\n`);
}

async function main() {
  checkNode();
  const lock = hashOf(root, ['package.json', 'package-lock.json'], process.versions.modules);
  if (!existsSync(path.join(root, 'node_modules/.package-lock.json')))
    rmSync(path.join(marks, 'node-modules'), { force: true });
  await step('node-modules', 'node modules', lock, () =>
    run('npm', ['ci', '--no-audit', '--no-fund'], 'npm', {
      remedy:
        'Is the registry reachable? Where no prebuilt SQLite driver exists, a C++ compiler, make and Python are needed to build it.',
    }),
  );
  if (purpose === 'test') await setUpTestPrograms();
  await setUpPython();
  const sources = hashOf(root, [
    'contract',
    'server',
    'interlink',
    'web',
    'agent',
    'tools/build.mjs',
    'tools/agent.mjs',
    'tsconfig.build.json',
    'package-lock.json',
  ]);
  if (!existsSync(path.join(root, 'dist/server/main.js'))) rmSync(path.join(marks, 'build'), { force: true });
  await step('build', 'build', sources, () =>
    run(process.execPath, ['tools/build.mjs'], 'build', { remedy: 'The sources do not compile; see the lines above.' }),
  );
}

try {
  await main();
} catch (error) {
  if (!(error instanceof StepError)) throw error;
  process.stderr.write(`setup: failed: ${error.message}\nsetup: remedy: ${error.remedy}\n`);
  process.exit(1);
}
