// A server that cannot start says why in one sentence, with the setting, its value and what to do, and ends with status 1.
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { packageRoot, testApp } from '../kit/app.ts';
import { makeAuthority } from '../kit/certificates.ts';
import { folder } from '../kit/folder.ts';
import { send } from '../kit/http.ts';
import { freePort } from '../kit/ports.ts';
import { endProcessesOf } from '../kit/processes.ts';
import { until } from '../kit/until.ts';

const tsx = path.join(packageRoot, 'node_modules/tsx/dist/loader.mjs');

interface Served {
  child: ChildProcess;
  /** Standard output and error so far. */
  said(): string;
  status: Promise<number | null>;
}

/** `linkspan serve` in a process of its own, in an own folder, which is gone at the end of the test. */
function serve(at: string, words: string[]): Served {
  const program = [
    '--import',
    tsx,
    path.join(packageRoot, 'server/main.ts'),
    'serve',
    '--log-level',
    'error',
    ...words,
  ];
  const child = spawn(process.execPath, program, { cwd: at, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await status;
    await endProcessesOf(at);
  });
  const status = new Promise<number | null>((resolve) => child.once('close', resolve));
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (text += part.toString()));
  return { child, said: () => text, status };
}
const isReady = (served: Served): Promise<unknown> =>
  until(() => served.said().includes('Linkspan is ready: ') || served.child.exitCode !== null, 'the server', 30);

/** @returns what a server says that does not start; each line without the place of its program */
async function refusal(files: Record<string, string>, words: string[] = []): Promise<string> {
  const at = folder(files);
  const port = words.includes('--port') ? [] : ['--port', String(await freePort())];
  const served = serve(at, [...port, ...words]);
  expect(await served.status, served.said()).toBe(1);
  // Node newer than the embedded issuer knows is no fault of the configuration.
  const said = served
    .said()
    .replaceAll(at, '<folder>')
    .replace(/^oidc-provider WARNING.*\n/, '');
  expect(said).toMatch(/^linkspan: /);
  expect(said).not.toMatch(/\n\s+at |node:internal|\.ts:\d+:\d+/);
  return said;
}

async function taken(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

test('a port that is in use is told with its setting', async () => {
  const port = await taken();
  expect(await refusal({}, ['--port', String(port)])).toBe(
    `linkspan: listen.port: ${port} on 127.0.0.1 is in use by another program; stop it or set another listen.port\n`,
  );
  expect(await refusal({ 'linkspan.yaml': `metrics: { port: ${port} }\n` })).toContain(
    `metrics.port: ${port} on 127.0.0.1 is in use by another program; stop it or set another metrics.port`,
  );
});

test('a port of the agents that is in use is told with its own setting', async () => {
  const port = await taken();
  const at = folder();
  const tls = { certFile: path.join(at, 'cert.pem'), keyFile: path.join(at, 'key.pem') };
  makeAuthority(at).issue(['localhost'], tls);
  const config = JSON.stringify({ listen: { agentPort: port }, tls, publicUrl: 'https://localhost:9999' });
  expect(await refusal({ 'linkspan.yaml': config })).toContain(
    `listen.agentPort: ${port} on 127.0.0.1 is in use by another program; stop it or set another listen.agentPort`,
  );
});

test('an address that this machine does not have is told', async () => {
  const config = {
    listen: { host: '192.0.2.1' },
    publicUrl: 'https://portal.example.org',
    sessionDomain: 'sessions.example.net',
    trustProxy: ['192.0.2.2'],
    issuer: { url: 'https://iam.example.org', clientId: 'x', clientSecret: 'y' },
  };
  expect(await refusal({ 'linkspan.yaml': JSON.stringify(config) })).toContain(
    "listen.host: '192.0.2.1' is no address of this machine",
  );
});

test.each([
  ['a file', '<folder>/file'],
  ['below a file', '<folder>/file/data'],
  ['where nobody may write', '/proc/linkspan'],
])('a data directory that is %s is told with a remedy', async (_what, dataDir) => {
  const said = await refusal({ file: '' }, ['--data-dir', dataDir.replace('<folder>/', '')]);
  expect(said).toMatch(/dataDir: '.*' is not writable \(.*\); give a directory that belongs to the account that runs/);
  expect(said).toContain(`'${dataDir}'`);
});

test('a configuration file that does not exist is named', async () => {
  expect(await refusal({}, ['--config', 'elsewhere.yaml'])).toContain('<folder>/elsewhere.yaml:1:1: does not exist');
});

test('text that is no YAML is told with file, line and column', async () => {
  expect(await refusal({ 'linkspan.yaml': 'listen:\n  port: 8000\n   host: localhost\n' })).toMatch(
    /<folder>\/linkspan\.yaml:\d+:\d+: /,
  );
});

test('a profile that exists twice is told with both places', async () => {
  const profile = '  - { id: lab, title: Lab, site: this-machine }\n';
  const files = { 'profiles/a.yaml': `profiles:\n${profile}`, 'profiles/b.yaml': `profiles:\n${profile}` };
  expect(await refusal({ ...files, 'linkspan.yaml': 'profilesDir: profiles\n' })).toContain(
    "<folder>/profiles/b.yaml:2:11: profiles.0.id: 'lab' is used already at <folder>/profiles/a.yaml:2:11; ids must differ",
  );
});

test('demo people off loopback are refused, with what to configure', async () => {
  const said = await refusal({}, ['--host', '0.0.0.0']);
  expect(said).toContain("listen.host: '0.0.0.0' is not loopback, but the demo people");
  expect(said).toContain('Configure issuer');
});

test('portal and sessions on one registrable domain are refused', async () => {
  const config = {
    publicUrl: 'https://portal.example.org',
    sessionDomain: 'sessions.example.org',
    trustProxy: ['127.0.0.1'],
    issuer: { url: 'https://iam.example.org', clientId: 'x', clientSecret: 'y' },
  };
  expect(await refusal({ 'linkspan.yaml': JSON.stringify(config) })).toContain(
    "sessionDomain: 'sessions.example.org' and publicUrl 'portal.example.org' share the registrable domain 'example.org'",
  );
});

test('a second server on the same data is refused while the first starts and while it runs, not after it was killed', async () => {
  const at = folder();
  const start = async (): Promise<Served> => serve(at, ['--data-dir', 'data', '--port', String(await freePort())]);
  const both = [await start(), await start()]; // in the same moment
  const statuses = await Promise.all(
    both.map(
      async (served) =>
        [await Promise.race([served.status, isReady(served).then(() => served.child.exitCode)]), served] as const,
    ),
  );
  expect(statuses.map(([status]) => String(status)).sort()).toEqual(['1', 'null']);
  const [first, second] = statuses[0]![0] === null ? both : both.reverse();
  expect(second!.said()).toContain(`dataDir: another server runs with '${at}/data'`);
  expect(second!.said()).toContain(`process ${first!.child.pid}`);
  const third = await start();
  expect(await third.status).toBe(1);
  expect(third.said()).toContain(`process ${first!.child.pid}`);
  first!.child.kill('SIGKILL');
  await first!.status;
  const next = await start();
  await isReady(next);
  expect(next.said()).toContain('Linkspan is ready: ');
  next.child.kill('SIGTERM');
  expect(await next.status).toBe(0);
});

test.each([
  ['that is missing', () => '/nowhere/bin/python', "Python '/nowhere/bin/python' does not exist"],
  ['that is too old', oldPython, 'Python 3.8 at'],
])(
  'with a Python %s the portal serves, and a start is refused with its reason: site-unavailable',
  async (_what, python, reason) => {
    const site = await testApp({ python: python() });
    onTestFinished(() => site.close());
    const ada = await site.person('ada');
    const answer = await ada.post('/api/sessions', { profile: 'jupyterlab' });
    expect(answer.status).toBe(503);
    expect(answer.json()).toMatchObject({
      code: 'site-unavailable',
      detail: expect.stringContaining(reason) as string,
    });
    expect(answer.text).toContain("in the setting 'python'");
    expect((await ada.get('/api/sessions')).json()).toMatchObject({ items: [] });
    expect((await ada.get('/readyz')).status).toBe(200);
  },
);

function oldPython(): string {
  const file = path.join(folder(), 'python');
  const answer = {
    executable: file,
    version: [3, 8],
    prefixes: ['/usr'],
    jupyterlab: '3.6.0',
    jupyterServer: '1.24.0',
  };
  writeFileSync(file, `#!/bin/sh\necho '${JSON.stringify(answer)}'\n`);
  chmodSync(file, 0o755);
  return file;
}

test('the plain port of the agents answers for tunnels and health only', async () => {
  const at = folder();
  const tls = { certFile: path.join(at, 'cert.pem'), keyFile: path.join(at, 'key.pem') };
  makeAuthority(at).issue(['localhost'], tls);
  const agentPort = await freePort();
  const port = await freePort();
  const publicUrl = `https://localhost:${port}`;
  const site = await testApp({ tls, listen: { agentPort }, publicUrl }, undefined, port);
  onTestFinished(() => site.close());
  const ask = (host: string, target: string, headers: Record<string, string> = {}, method = 'GET') =>
    send(agentPort, method, new URL(target, `http://127.0.0.1:${agentPort}`), { host, ...headers });
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  };
  for (const host of [`localhost:${port}`, `s-aaaaaaaaaaaaaaaa.localhost:${port}`, `127.0.0.1:${agentPort}`]) {
    for (const target of ['/', '/api/me', '/auth/login', '/iam/.well-known/openid-configuration', '/metrics'])
      expect([host, target, (await ask(host, target)).status]).toEqual([host, target, 421]);
    expect((await ask(host, '/ws', upgrade)).status).toBe(421);
  }
  const agents = `127.0.0.1:${agentPort}`;
  expect((await ask(agents, '/healthz')).status).toBe(200);
  expect((await ask(agents, '/readyz')).status).toBe(200);
  expect((await ask(agents, '/tunnel/v1/enrol', {}, 'POST')).json()).toMatchObject({
    code: expect.stringMatching(/bad-request|tunnel-protocol|enrolment-unknown/) as string,
  });
  expect((await ask(agents, '/tunnel/v1', upgrade)).json()).toMatchObject({ code: 'tunnel-protocol' });
});
