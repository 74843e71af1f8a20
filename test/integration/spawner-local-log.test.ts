// Logs of local sessions: rotated by the parent, read and followed over the rotation.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { localSite, specOf, type LocalSite } from '../kit/local-site.ts';
import { until } from '../kit/until.ts';

let site: LocalSite | undefined;
afterEach(async () => {
  await site?.close();
  site = undefined;
});

/** Bytes of the first line, which the stand-in agent writes itself. */
const head = 'agent up\n'.length;

async function sizes(sessionId: string): Promise<Record<string, number>> {
  const directory = site!.directoryOf(sessionId);
  const names = (await readdir(directory)).filter((name) => name.startsWith('log')).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, (await readFile(path.join(directory, name))).length] as const)),
  );
}

test('a log is kept in one file up to the limit', async () => {
  site = await localSite({ logBytes: 2000 });
  const spec = specOf(`os.write(1, b"x" * ${2000 - head - 1} + b"\\n")`);
  await site.spawner.start(spec);
  await site.ended(spec.sessionId);
  expect(await sizes(spec.sessionId)).toEqual({ log: 2000 });
});

test('one byte more goes to a new file, and the line is read as one', async () => {
  site = await localSite({ logBytes: 2000 });
  const spec = specOf(`os.write(1, b"x" * ${2000 - head} + b"\\n")`);
  await site.spawner.start(spec);
  await site.ended(spec.sessionId);
  expect(await sizes(spec.sessionId)).toEqual({ log: 1, 'log.1': 2000 });
  expect((await site.lines(spec.sessionId)).at(-1)).toBe('x'.repeat(2000 - head));
});

test('three files are kept, whatever is written', async () => {
  site = await localSite({ logBytes: 2000 });
  const spec = specOf('for i in range(5000): print("line", i)');
  await site.spawner.start(spec);
  await site.ended(spec.sessionId);
  const kept = await sizes(spec.sessionId);
  expect(Object.keys(kept)).toEqual(['log', 'log.1', 'log.2']);
  for (const bytes of Object.values(kept)) expect(bytes).toBeLessThanOrEqual(2000);
  const lines = await site.lines(spec.sessionId);
  expect(lines.at(-1)).toBe('line 4999');
  expect(lines.slice(1)).toEqual(lines.slice(1).map((_line, index) => `line ${5000 - lines.length + 1 + index}`));
});

test('a character that rotation cuts is read whole', async () => {
  site = await localSite({ logBytes: 2000 });
  const spec = specOf(`os.write(1, (" " * ${2000 - head - 1} + "é\\n").encode())`);
  await site.spawner.start(spec);
  await site.ended(spec.sessionId);
  expect((await site.lines(spec.sessionId)).at(-1)?.trim()).toBe('é');
});

test('tail gives the last lines, none when none is wanted', async () => {
  site = await localSite();
  const spec = specOf('for i in range(100): print("line", i)\nsys.stdout.write("open end")');
  await site.spawner.start(spec);
  await site.ended(spec.sessionId);
  const tail = async (count: number): Promise<string[]> => {
    const lines: string[] = [];
    for await (const line of site!.spawner.logs(spec.sessionId, { tailLines: count, follow: false })) lines.push(line);
    return lines;
  };
  expect(await tail(3)).toEqual(['line 98', 'line 99', 'open end']);
  expect(await tail(0)).toEqual([]);
});

test('follow loses and repeats no line over many rotations and ends with the session', async () => {
  site = await localSite({ logBytes: 4000 });
  // Slow enough that two looks never have three files between them, fast enough to rotate many times.
  const spec = specOf(
    'for i in range(3000):\n    print("line", i, flush=True)\n    if i % 50 == 49: time.sleep(0.03)\nsys.stdout.write("open end")',
  );
  await site.spawner.start(spec);
  const lines: string[] = [];
  for await (const line of site.spawner.logs(spec.sessionId, { tailLines: 5000, follow: true })) lines.push(line);
  expect(lines).toEqual([
    'agent up',
    ...Array.from({ length: 3000 }, (_nothing, index) => `line ${index}`),
    'open end',
  ]);
});

test('follow ends at once when the reader goes', async () => {
  site = await localSite();
  const spec = specOf('while True: time.sleep(0.1)');
  await site.spawner.start(spec);
  const controller = new AbortController();
  const reading = (async () => {
    const lines: string[] = [];
    const want = { tailLines: 10, follow: true, signal: controller.signal };
    for await (const line of site!.spawner.logs(spec.sessionId, want)) lines.push(line);
    return lines;
  })();
  await until(async () => (await site!.lines(spec.sessionId)).includes('agent up'), 'the agent');
  await new Promise((resolve) => setTimeout(resolve, 300));
  controller.abort();
  expect(await reading).toEqual(['agent up']);
});

test('the log of a session that never was is empty, also when followed', async () => {
  site = await localSite();
  const lines: string[] = [];
  const want = { tailLines: 10, follow: true };
  for await (const line of site.spawner.logs('aaaaaaaaaaaaaaaa', want)) lines.push(line);
  expect(lines).toEqual([]);
});

test('why the command could not be started stands in the log', async () => {
  site = await localSite({ sandbox: false });
  const spec = specOf('raise SystemError("broken on purpose")');
  await site.spawner.start(spec);
  expect((await site.ended(spec.sessionId)).exit).toEqual({ cause: 'exited', code: 1 });
  expect((await site.lines(spec.sessionId)).at(-1)).toBe('SystemError: broken on purpose');
});
