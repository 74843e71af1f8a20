// A portal that dies under an open Lab: the kernel goes on, and the page comes back by itself.
import { expect, test } from 'playwright/test';
import { kernelIs, logIn, newNotebook, runCell, startLab } from '../kit/pages.ts';
import { startServer, type TestServer } from '../kit/server.ts';

let server: TestServer;
test.beforeAll(async () => {
  server = await startServer();
});
test.afterAll(() => server.close());

test('kill -9 of the portal under an open Lab: the same kernel, its variables, without a reload', async ({ page }) => {
  test.setTimeout(150_000);
  await logIn(page, server, 'ada');
  await startLab(page);
  await newNotebook(page);
  const pid = await runCell(page, 0, "import os; kept = 'still here'; print(os.getpid())");
  await page.evaluate(() => Object.assign(globalThis, { neverReloaded: true }));
  await server.kill('SIGKILL');
  await expect
    .poll(() =>
      page.evaluate(() =>
        fetch('/api/status').then(
          () => 'up',
          () => 'down',
        ),
      ),
    )
    .toBe('down');
  await kernelIs(page, 'connecting');
  await server.start();
  await expect
    .poll(
      () =>
        page.evaluate(() =>
          fetch('/api/status').then(
            (answer) => answer.status,
            () => 0,
          ),
        ),
      { timeout: 60_000 },
    )
    .toBe(200);
  await kernelIs(page, 'idle');
  expect(await runCell(page, 1, 'print(kept, os.getpid())')).toBe(`still here ${pid}`);
  expect(await page.evaluate(() => 'neverReloaded' in globalThis)).toBe(true);
});

test('the page of the portal says that it lost contact, and finds it again', async ({ page }) => {
  await logIn(page, server, 'bela');
  await server.kill('SIGTERM');
  await expect(page.getByText(/The server does not answer/)).toBeVisible({ timeout: 40_000 });
  await server.start();
  await expect(page.getByText(/The server does not answer/)).toBeHidden({ timeout: 30_000 });
  await page.getByRole('button', { name: 'Start JupyterLab', exact: true }).click();
  await page.waitForURL(/\/lab/, { timeout: 60_000 });
});

test('events that were refused once come again, and the page goes on meanwhile', async ({ page }) => {
  let refused = 0;
  await page.route('**/api/events', async (route) => {
    refused += 1;
    if (refused <= 2) await route.fulfill({ status: 503, body: 'restarting' });
    else await route.continue();
  });
  await logIn(page, server, 'cora');
  await expect.poll(() => refused, { timeout: 20_000 }).toBeGreaterThan(2);
  const started = await page.evaluate(() =>
    fetch('/api/sessions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ profile: 'jupyterlab', title: 'From elsewhere' }),
    }).then((answer) => answer.status),
  );
  expect(started).toBe(201);
  await expect(page.getByRole('article').filter({ hasText: 'From elsewhere' })).toBeVisible();
});
