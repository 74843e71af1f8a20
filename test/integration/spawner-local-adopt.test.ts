// What a restart of the server, a killed server and a restart of the machine leave behind.
import { spawn, type ChildProcess } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { statOf } from '../../server/lib/process-identity.ts';
import type { Fact } from '../../server/spawner/spawner.ts';
import { localSite, specOf, type LocalSite } from '../kit/local-site.ts';
import { until } from '../kit/until.ts';

let site: LocalSite | undefined;
let server: ChildProcess | undefined;
afterEach(async () => {
  server?.kill('SIGKILL');
  await site?.close();
  site = undefined;
});

const counting = 'count = 0\nwhile True:\n    count += 1\n    print("tick", count, flush=True)\n    time.sleep(0.02)';
const root = fileURLToPath(new URL('../..', import.meta.url));

for (const sandbox of [true, false]) {
  test(`a session outlives a server that is killed; the next one adopts it (${sandbox ? '' : 'no '}sandbox)`, async () => {
    site = await localSite({ sandbox });
    const spec = specOf(counting);
    const script = path.join(site.folder, 'server.mts');
    await writeFile(
      script,
      `import { makeLocalSpawner } from ${JSON.stringify(path.join(root, 'server/spawner/local/make.ts'))};
       import { makeLog } from ${JSON.stringify(path.join(root, 'server/lib/log.ts'))};
       import { systemClock } from ${JSON.stringify(path.join(root, 'server/lib/clock.ts'))};
       const rows = new Map<string, unknown>();
       const store = { put: async (row: { sessionId: string }) => void rows.set(row.sessionId, row), get: async () => undefined,
         remove: async () => undefined, list: async () => [] };
       const settings = JSON.parse(process.argv[2] ?? '');
       const spawner = await makeLocalSpawner({ ...settings, store, clock: systemClock, log: makeLog('silent') });
       await spawner.start(JSON.parse(process.argv[3] ?? ''));
       process.stdout.write(JSON.stringify([...rows.values()][0]) + '\\n');
       setInterval(() => undefined, 1000);`,
    );
    const settings = {
      dataDir: path.join(site.folder, 'data'),
      homesDir: path.join(site.folder, 'data/homes'),
      python: 'python3',
      agentFile: path.join(root, 'test/kit/fake-agent.py'),
      sandbox,
    };
    const tsx = path.join(root, 'node_modules/tsx/dist/loader.mjs');
    server = spawn(process.execPath, ['--import', tsx, script, JSON.stringify(settings), JSON.stringify(spec)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    server.stdout?.on('data', (part: Buffer) => (said += part.toString()));
    await until(() => said.endsWith('\n'), 'the row');
    const row = JSON.parse(said) as Parameters<typeof site.store.put>[0];
    await site.store.put(row);
    server.kill('SIGKILL');
    await until(() => server!.signalCode !== null, 'the server to die');

    const next = await site.restarted({ sandbox });
    expect(next.facts).toMatchObject([{ kind: 'running', sessionId: spec.sessionId, jobId: String(row.pid) }]);
    const before = (await site.lines(spec.sessionId)).length;
    await until(async () => (await site!.lines(spec.sessionId)).length > before, 'more output');
    await next.spawner.stop(spec.sessionId, { graceSeconds: 5 });
    expect(statOf(row.pid)?.state ?? 'gone').toMatch(/gone|Z/);
    expect(next.facts.at(-1)).toMatchObject({ kind: 'ended', exit: { cause: 'exited', code: 81 } });
  });
}

test('the end of an adopted session is told', async () => {
  site = await localSite();
  const spec = specOf('while not os.path.exists(os.path.expanduser("~/end")): time.sleep(0.01)\nos._exit(83)');
  await site.spawner.start(spec);
  const next = await site.restarted();
  await writeFile(path.join(site.folder, 'data/homes/ada-00000001/end'), '');
  await until(() => next.facts.at(-1)?.exit?.code === 83, 'the end');
});

test('what ended while no server ran is told with its exit record', async () => {
  site = await localSite();
  const spec = specOf('os._exit(84)');
  await site.spawner.start(spec);
  await site.ended(spec.sessionId);
  const { facts } = await site.restarted();
  expect(facts).toMatchObject([{ kind: 'ended', exit: { cause: 'exited', code: 84 } }]);
});

test('a restart of the machine is the end of a session by node failure, and no living process is touched', async () => {
  site = await localSite();
  const spec = specOf(counting);
  await site.spawner.start(spec);
  const row = site.store.rows.get(spec.sessionId)!;
  const { facts } = await site.restarted({ bootId: 'another-boot' });
  expect(facts).toMatchObject([{ kind: 'ended', exit: { cause: 'nodeFailure' } }]);
  expect(statOf(row.pid)?.startTime).toBe(row.startTime);
});

test('a pid that came back is not taken for the session and is never signalled', async () => {
  site = await localSite();
  const spec = specOf(counting);
  const stranger = spawn('sleep', ['600']);
  await new Promise((resolve) => stranger.once('spawn', resolve));
  await site.store.put({
    sessionId: spec.sessionId,
    pid: stranger.pid!,
    startTime: '1',
    bootId: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
    directory: site.directoryOf(spec.sessionId),
    createdAt: 0,
    site: 'here',
    settledAt: null,
  });
  const { spawner, facts } = await site.restarted();
  expect(facts).toMatchObject([{ kind: 'ended', exit: { cause: 'unknown' } }]);
  await spawner.stop(spec.sessionId, { graceSeconds: 0 });
  expect(stranger.exitCode ?? stranger.signalCode).toBe(null);
  stranger.kill();
});

test('a server that died between intent and pid finds the process by what the parent wrote', async () => {
  site = await localSite();
  const spec = specOf(counting);
  await site.spawner.start(spec);
  const row = site.store.rows.get(spec.sessionId)!;
  await until(() => readFile(path.join(row.directory, 'process.json')).catch(() => undefined), 'process.json');
  await site.store.put({ ...row, pid: 0, startTime: '' });
  const { facts } = await site.restarted();
  expect(facts).toMatchObject([{ kind: 'running', jobId: String(row.pid) }]);
  expect(site.store.rows.get(spec.sessionId)).toEqual(row);
});

test('an intent without a process is an end', async () => {
  site = await localSite();
  const spec = specOf(counting);
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const directory = site.directoryOf(spec.sessionId);
  await site.store.put({
    sessionId: spec.sessionId,
    pid: 0,
    startTime: '',
    bootId,
    directory,
    createdAt: 0,
    site: 'here',
    settledAt: null,
  });
  const { facts } = await site.restarted();
  expect(facts).toMatchObject([{ kind: 'ended', exit: { cause: 'unknown' } }]);
});

test('each site of one machine is told of its own sessions only, also after a restart', async () => {
  site = await localSite();
  const [one, two] = [specOf(counting, { site: 'one' }), specOf(counting, { site: 'two' })];
  const watched = async (name: string): Promise<{ facts: Fact[]; close(): unknown }> => {
    const facts: Fact[] = [];
    const spawner = site!.spawner.forSite(name);
    let watch: { close(): unknown } = { close: () => undefined };
    await new Promise<void>((synced) => (watch = spawner.observe({ report: (fact) => facts.push(fact), synced })));
    return { facts, close: () => watch.close() };
  };
  const both = await Promise.all(['one', 'two'].map(watched));
  await Promise.all([one, two].map((spec) => site!.spawner.forSite(spec.site).start(spec)));
  for (const [index, spec] of [one, two].entries())
    expect(both[index]!.facts).toMatchObject([
      { sessionId: spec.sessionId, kind: 'submitted' },
      { sessionId: spec.sessionId, kind: 'running' },
    ]);
  both[0]!.close();
  await Promise.all([one, two].map((spec) => site!.spawner.stop(spec.sessionId, { graceSeconds: 5 })));
  expect(both[1]!.facts.at(-1)).toMatchObject({ sessionId: two.sessionId, kind: 'ended' });
  expect((await watched('one')).facts).toMatchObject([{ sessionId: one.sessionId, kind: 'ended' }]);
  expect(both[0]!.facts.at(-1)?.kind).toBe('running');
});
