// A day of ada: log in, start, work, save, reload, stop; in a real browser, on a real JupyterLab, through the tunnel.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'playwright/test';
import { descendantsOf } from '../../server/spawner/local/processes.ts';
import { kernelAnswers, labIsUp, logIn, newNotebook, runCell, startLab, stopSession } from '../kit/pages.ts';
import { processesOf } from '../kit/processes.ts';
import { startServer, type TestServer } from '../kit/server.ts';
import { until } from '../kit/until.ts';

let server: TestServer;
test.beforeAll(async () => {
  server = await startServer();
});
test.afterAll(() => server.close());

const commandLine = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');

test('ada logs in, starts, watches progress, works in Lab, saves, reloads, stops', async ({ page }) => {
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(`${page.url()}: ${error.message}`));
  await logIn(page, server, 'ada');
  await expect(page.getByText('You have no sessions.')).toBeVisible();

  await page.getByRole('button', { name: 'Start JupyterLab', exact: true }).click();
  await page.waitForURL(/\/sessions\/[a-z2-7]{16}$/);
  await expect(page.getByRole('list', { name: /progress/i })).toBeVisible();
  await page.waitForURL(/^http:\/\/s-[a-z2-7]{16}\.localhost:\d+\/lab/, { timeout: 60_000 });
  await labIsUp(page);
  expect(page.url()).not.toContain('code=');
  const session = new URL(page.url()).origin;
  const id = /s-([a-z2-7]{16})/.exec(session)![1]!;

  await newNotebook(page);
  expect(await runCell(page, 0, 'answer = 6 * 7; print(answer)')).toBe('42');
  await page.keyboard.press('Control+s');
  const home = path.join(server.dataDir, 'homes');
  const notebook = await until(
    () => execFileSync('find', [home, '-name', 'Untitled.ipynb']).toString().trim() || undefined,
    'the notebook on disk',
  );
  await until(() => readFileSync(notebook, 'utf8').includes('answer = 6 * 7'), 'what was typed on disk');

  const kernel = kernelAnswers(page);
  await page.reload();
  await labIsUp(page);
  await kernel;
  await expect(page.locator('.jp-Notebook .jp-OutputArea-output').first()).toHaveText('42');
  expect(await runCell(page, 1, 'print(answer + 1)')).toBe('43');
  await expect(page.getByText(/\bleft$/)).toBeVisible();

  const [parent] = processesOf(path.join(server.dataDir, 'sessions', id));
  const processes = [parent!, ...descendantsOf(parent!)];
  expect(processes.map(commandLine).join('\n')).toMatch(/linkspan_lab[\s\S]*ipykernel/);
  const listeners = execFileSync('ss', ['-tulnpH']).toString();
  expect(listeners).toContain(`pid=${server.pid()},`);
  for (const pid of processes) expect(listeners).not.toContain(`pid=${pid},`);

  await page.goto(server.portal);
  await expect(page.getByText('1 of 5 sessions in use')).toBeVisible();
  await stopSession(page, 'JupyterLab');
  await until(() => processesOf(path.join(server.dataDir, 'sessions', id)).length === 0, 'nothing is left');
  expect(readFileSync(notebook, 'utf8')).toContain('answer + 1');

  await page.goto(`${session}/lab`);
  await expect(page.getByRole('heading', { name: 'JupyterLab has ended' })).toBeVisible();
  await page.getByRole('link', { name: 'Start again' }).click();
  await expect(page).toHaveURL(new RegExp(`^${server.portal}/sessions/${id}`));
  await page.getByRole('dialog').getByRole('button', { name: 'Start again' }).click();
  await page.waitForURL(/^http:\/\/s-[a-z2-7]{16}\.localhost:\d+\/lab/, { timeout: 60_000 });
  expect(new URL(page.url()).origin).not.toBe(session);
  await labIsUp(page);
  await expect(page.locator('.jp-DirListing').getByText('Untitled.ipynb')).toBeVisible();
  expect(problems).toEqual([]);
});

test("bela gets a 403 page for ada's session, and 404 from the API", async ({ browser }) => {
  const [adas, belas] = [await browser.newContext(), await browser.newContext()];
  const [ada, bela] = [await adas.newPage(), await belas.newPage()];
  await logIn(ada, server, 'ada');
  const session = await startLab(ada);
  await logIn(bela, server, 'bela');
  const answer = await bela.goto(`${session}/lab`);
  expect(answer!.status()).toBe(403);
  await expect(bela.getByRole('heading', { name: 'This session is not open to you' })).toBeVisible();
  const id = /s-([a-z2-7]{16})/.exec(session)![1]!;
  await bela.goto(server.portal);
  const api = await bela.evaluate(async (path) => (await fetch(path)).status, `/api/sessions/${id}`);
  expect(api).toBe(404);
  await bela.goto(`${server.portal}/sessions/${id}`);
  await expect(bela.getByRole('alert')).toContainText('no such session');
  await adas.close();
  await belas.close();
});
