// What the check of a local site says, and what a start says when the machine cannot do it.
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkSurroundings, lowDiskBytes, type Surroundings } from '../../../server/spawner/local/health.ts';
import { askPython, unfitPython } from '../../../server/spawner/local/python.ts';
import { localSite, specOf } from '../../kit/local-site.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'ls-health-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const facts = {
  executable: '/usr/bin/python3',
  version: [3, 10] as [number, number],
  prefixes: ['/usr'],
  jupyterlab: '4.4.0',
  jupyterServer: '2.15.0',
};
const good = (): Surroundings => ({
  python: facts,
  sandbox: { available: true, bwrap: '/usr/bin/bwrap' },
  folders: [folder],
});

/** An interpreter that answers like another version. */
async function pretend(answer: object): Promise<string> {
  const file = path.join(folder, 'python');
  await writeFile(file, `#!/bin/sh\necho '${JSON.stringify({ ...facts, executable: file, ...answer })}'\n`);
  await chmod(file, 0o755);
  return file;
}

test('all is well with Python 3.10, JupyterLab and jupyter_server 2', async () => {
  expect(await checkSurroundings(good())).toEqual({ health: 'ok', message: null });
});

test('Python 3.9 is too old, 3.10 is not', () => {
  expect(unfitPython({ ...facts, version: [3, 9] }, false)).toContain('Python 3.9');
  expect(unfitPython({ ...facts, version: [3, 10] }, true)).toBeUndefined();
  expect(unfitPython({ ...facts, version: [4, 0] }, true)).toBeUndefined();
});

test('JupyterLab must be there, jupyter_server below 2.0 is refused; other apps need neither', () => {
  expect(unfitPython({ ...facts, jupyterlab: null }, true)).toContain('JupyterLab is not installed');
  expect(unfitPython({ ...facts, jupyterServer: '1.24.0' }, true)).toContain('jupyter_server 1.24.0');
  expect(unfitPython({ ...facts, jupyterServer: null }, true)).toContain('(missing)');
  expect(unfitPython({ ...facts, jupyterlab: null, jupyterServer: null }, false)).toBeUndefined();
});

test('a missing Python is named with a remedy', async () => {
  const file = path.join(folder, 'nowhere');
  await expect(askPython(file)).rejects.toThrow(`Python '${file}' does not exist; run npm start once`);
});

test('a Python that does not work is named with what it said', async () => {
  await writeFile(path.join(folder, 'python'), '#!/bin/sh\necho broken library >&2\nexit 3\n', { mode: 0o755 });
  await expect(askPython(path.join(folder, 'python'))).rejects.toThrow(/does not work.*broken library/);
});

test('start throws start-failed with cause and remedy when Python is missing or too old', async () => {
  for (const [python, words] of [
    [path.join(folder, 'nowhere'), 'does not exist'],
    [await pretend({ version: [3, 9] }), 'Python 3.9'],
  ] as const) {
    const site = await localSite({ python, sandbox: false });
    try {
      const refusal = await site.spawner.start(specOf('')).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'start-failed' });
      expect((refusal as Error).message).toContain(words);
      expect((refusal as Error).message).toMatch(/run npm start once|setting 'python'/);
      expect((await site.spawner.check()).health).toBe('down');
      expect(site.facts).toEqual([]);
      expect(site.store.rows.size).toBe(0);
    } finally {
      await site.close();
    }
  }
});

test('start throws start-failed when the agent was not built, and leaves nothing behind', async () => {
  const site = await localSite({ agentFile: path.join(folder, 'agent.py') });
  try {
    await expect(site.spawner.start(specOf(''))).rejects.toMatchObject({ code: 'start-failed' });
    expect(site.store.rows.size).toBe(0);
  } finally {
    await site.close();
  }
});

test('start throws start-failed when the data directory cannot be written', async () => {
  await writeFile(path.join(folder, 'file'), '');
  const site = await localSite({ dataDir: path.join(folder, 'file') });
  try {
    const refusal = await site.spawner.start(specOf('')).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'start-failed' });
    expect((refusal as Error).message).toContain('data directory cannot be written');
    expect(await site.spawner.check()).toMatchObject({ health: 'down' });
  } finally {
    await site.close();
  }
});

test('start throws start-failed when the home cannot be made', async () => {
  await writeFile(path.join(folder, 'file'), '');
  const site = await localSite({ homesDir: path.join(folder, 'file') });
  try {
    await expect(site.spawner.start(specOf(''))).rejects.toMatchObject({ code: 'start-failed' });
  } finally {
    await site.close();
  }
});

test('a slug that would leave the folder of homes is refused with start-failed', async () => {
  const site = await localSite();
  try {
    const user = { id: 'u_a', slug: '../data', name: 'Mallory' };
    await expect(site.spawner.start(specOf('', { user }))).rejects.toMatchObject({ code: 'start-failed' });
  } finally {
    await site.close();
  }
});

test('a folder that cannot be written is down', async () => {
  await writeFile(path.join(folder, 'file'), '');
  const health = await checkSurroundings({ ...good(), folders: [path.join(folder, 'file/homes')] });
  expect(health).toMatchObject({ health: 'down' });
  expect(health.message).toContain('not writable');
});

test('little space is degraded, at the limit it is not', async () => {
  const freeBytes = (bytes: number): Surroundings => ({ ...good(), freeBytes: async () => bytes });
  expect(await checkSurroundings(freeBytes(lowDiskBytes))).toMatchObject({ health: 'ok' });
  const low = await checkSurroundings(freeBytes(lowDiskBytes - 1));
  expect(low.health).toBe('degraded');
  expect(low.message).toContain('255 MiB');
});

test('a missing sandbox is degraded and says why', async () => {
  const health = await checkSurroundings({ ...good(), sandbox: { available: false, reason: 'no bubblewrap' } });
  expect(health).toEqual({ health: 'degraded', message: 'Sessions run without a sandbox: no bubblewrap.' });
});

test('folders that do not exist yet are made, private', async () => {
  await mkdir(path.join(folder, 'a'));
  expect(await checkSurroundings({ ...good(), folders: [path.join(folder, 'a/b/c')] })).toMatchObject({ health: 'ok' });
});
