// npm run bench:start [-- --peer] [-- --rounds 9] : how long a start takes. Exit status 1 when a goal is missed.
import os from 'node:os';
import { parseArgs } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import { chromium } from 'playwright';
import { chromiumArguments, chromiumPath } from '../../kit/chromium.ts';
import { Person } from '../../kit/person.ts';
import { installPeer, startPeer } from './jupyterhub.ts';
import { clickToLab, dataFolder, npmStart, type Linkspan, type Start } from './linkspan.ts';

const { values } = parseArgs({
  options: { peer: { type: 'boolean', default: false }, rounds: { type: 'string', default: '9' } },
});
const rounds = Number(values.rounds);

const median = (numbers: number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
const seconds = (number: number): string => `${number.toFixed(2)} s`;
const spread = (numbers: number[]): string =>
  `median ${seconds(median(numbers))} of ${numbers.length} (${seconds(Math.min(...numbers))} to ${seconds(Math.max(...numbers))})`;
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const missed: string[] = [];
function goal(name: string, value: number, limit: number, unit: string): void {
  const ok = value < limit;
  print(`${ok ? 'ok    ' : 'MISSED'} ${name}: ${value.toFixed(2)} ${unit}, goal < ${limit} ${unit}`);
  if (!ok) missed.push(name);
}

/** From the click on Start to the panel of JupyterLab in a real browser. */
async function inBrowser(server: Linkspan, password: string): Promise<number> {
  const browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumArguments });
  try {
    const page = await browser.newPage();
    await page.goto(server.portal);
    await page.getByRole('link', { name: /log in/i }).click();
    await page.getByLabel('Name').fill('ada');
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Log in' }).click();
    const start = page.getByRole('button', { name: 'Start JupyterLab', exact: true });
    await start.waitFor();
    const since = performance.now();
    await start.click();
    await page.locator('#jp-main-dock-panel').waitFor({ timeout: 60_000 });
    return (performance.now() - since) / 1000;
  } finally {
    await browser.close();
  }
}

const folder = await dataFolder();
let server: Linkspan | undefined;
try {
  print(`${os.cpus().length} x ${os.cpus()[0]?.model}, Node ${process.version}; load is one start at a time`);
  const first = await npmStart(folder.path);
  const { password } = first;
  await first.stop();
  const again: number[] = [];
  for (let round = 0; round < 3; round++) {
    server = await npmStart(folder.path);
    again.push(server.readySeconds);
    if (round < 2) await server.stop();
  }
  print(`npm start to /readyz, a further start: ${spread(again)}`);
  goal('further npm start to /readyz', median(again), 3, 's');

  const ada = new Person(server!.port);
  await ada.logIn('ada', password);
  print('one login; waiting 60 s');
  await pause(60_000);
  const megabytes = await server!.residentMegabytes();
  goal('resident memory 60 s after one login', megabytes, 150, 'MB');

  const starts: Start[] = [];
  const peers: number[] = [];
  const versions = values.peer ? installPeer() : undefined;
  const peer = values.peer ? await startPeer() : undefined;
  try {
    // In turn, so that a machine that gets slower does so for both.
    for (let round = 0; round < rounds; round++) {
      starts.push(await clickToLab(ada));
      if (peer) peers.push(await peer.clickToLab());
    }
  } finally {
    await peer?.close();
  }
  const clicks = starts.map((start) => start.seconds);
  print(`click to Lab: ${spread(clicks)}`);
  const own = starts.map((start) => start.ownSeconds);
  print(`of these Linkspan's own: ${spread(own)}`);
  goal("Linkspan's own share", median(own), 0.7, 's');
  print(`in the browser, click on Start to the panel of Lab: ${seconds(await inBrowser(server!, password))}`);
  if (peer) {
    print(`peer (${versions}): ${spread(peers)}`);
    goal('ratio to the peer', median(clicks) / median(peers), 0.8, 'x');
  }
} finally {
  await server?.stop().catch(() => undefined);
  await folder.remove();
}
print(missed.length === 0 ? 'all goals reached' : `missed: ${missed.join(', ')}`);
process.exit(missed.length === 0 ? 0 : 1);
