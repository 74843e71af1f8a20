// What a cell of ada can reach on the machine: nothing of the server, of bela, of the agent, and not its own verdict.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'playwright/test';
import { startDeployment, type Deployment } from '../kit/deployment.ts';
import { descendantsOf } from '../../server/spawner/local/processes.ts';
import { newNotebook, runCell, startLab, stopSession } from '../kit/pages.ts';
import { processesOf } from '../kit/processes.ts';

let site: Deployment;
test.beforeAll(async () => {
  site = await startDeployment();
});
test.afterAll(() => site?.close());

const find = (folder: string, ...how: string[]): string[] =>
  execFileSync('find', [folder, ...how])
    .toString()
    .trim()
    .split('\n')
    .filter(Boolean);

test('a cell reads neither database, configuration, key, home and socket of bela nor the agent, and cannot forge its end', async () => {
  test.setTimeout(150_000);
  const { dataDir, configFile } = site.server;
  const [adas, belas] = [await site.browser.newContext(), await site.browser.newContext()];
  const [ada, bela] = [await adas.newPage(), await belas.newPage()];
  await site.logIn(bela, 'bela');
  const belaId = /s-([a-z2-7]{16})/.exec(await startLab(bela))![1]!;
  await site.logIn(ada, 'ada');
  const adaId = /s-([a-z2-7]{16})/.exec(await startLab(ada))![1]!;
  await newNotebook(ada);

  const [belaHome] = find(path.join(dataDir, 'homes'), '-maxdepth', '1', '-name', 'bela-*');
  // The socket lies in a file system of its own; only the root of the machine sees it, through a process of the session.
  const [parent] = processesOf(path.join(dataDir, 'sessions', belaId));
  const belaPid = descendantsOf(parent!).at(-1)!;
  const [belaSocket] = find(path.join('/proc', String(belaPid), 'root', 'run/linkspan'), '-type', 's', '-name', 'j*');
  const exit = path.join(dataDir, 'sessions', adaId, 'exit.json');
  const files = [path.join(dataDir, 'linkspan.sqlite'), path.join(dataDir, 'secret.key'), configFile, site.tls.keyFile];
  for (const file of files) expect(readFileSync(file).length).toBeGreaterThan(0); // the control: they are there
  expect(statSync(belaSocket!).isSocket()).toBe(true);
  const paths = { files, belaHome, belaSocket, exit };
  const printed = await runCell(
    ada,
    0,
    [
      'import json, os, socket',
      `paths = json.loads(${JSON.stringify(JSON.stringify(paths))})`,
      'def attempt(work):',
      '    try:',
      '        work()',
      '        return "done"',
      '    except OSError as error:',
      '        return type(error).__name__',
      'said = {}',
      'for file in paths["files"]: said[os.path.basename(file)] = attempt(lambda: open(file, "rb").read(1))',
      'said["home"] = attempt(lambda: os.listdir(paths["belaHome"]))',
      'said["socket"] = attempt(lambda: socket.socket(socket.AF_UNIX).connect(paths["belaSocket"]))',
      'said["environ"] = attempt(lambda: open("/proc/1/environ", "rb").read())',
      'said["memory"] = attempt(lambda: open("/proc/1/mem", "rb").read(1))',
      'said["exit"] = attempt(lambda: open(paths["exit"], "w").write("{}"))',
      'said["own"] = attempt(lambda: open(os.path.expanduser("~/own"), "w").write("x"))',
      'said["own environ"] = attempt(lambda: open("/proc/self/environ", "rb").read())',
      'said["agent"] = "agent" in open("/proc/1/cmdline").read()',
      'said["settings"] = [name for name in os.environ if name.startswith("LINKSPAN")]',
      'print(json.dumps(said))',
    ].join('\n'),
  );
  expect(JSON.parse(printed)).toEqual({
    'linkspan.sqlite': 'FileNotFoundError',
    'secret.key': 'FileNotFoundError',
    'linkspan.yaml': 'FileNotFoundError',
    'key.pem': 'FileNotFoundError',
    home: 'FileNotFoundError',
    socket: 'FileNotFoundError',
    environ: 'PermissionError',
    memory: 'PermissionError',
    exit: 'FileNotFoundError',
    own: 'done',
    'own environ': 'done',
    agent: true,
    settings: ['LINKSPAN_PRIVATE'], // a path; neither token nor address
  });
  expect(existsSync(exit)).toBe(false);
  expect(site.server.output()).not.toContain('without a sandbox');

  await ada.goto(`${site.server.portal}/sessions/${adaId}`);
  await stopSession(ada, 'JupyterLab');
  await adas.close();
  await belas.close();
});
