// A start that takes its time, and starts that fail: what the person who waits is told.
import { fileURLToPath } from 'node:url';
import { expect, test } from 'playwright/test';
import { logIn } from '../kit/pages.ts';
import { startServer, type TestServer } from '../kit/server.ts';

const profiles = fileURLToPath(new URL('../kit/profiles', import.meta.url));
let server: TestServer;
test.beforeAll(async () => {
  server = await startServer({ env: { LINKSPAN_PROFILES_DIR: profiles } });
});
test.afterAll(() => server.close());

test('progress survives a reload, its log can be read, and it can be cancelled', async ({ page }) => {
  await logIn(page, server, 'ada');
  await page.getByRole('button', { name: 'Start Slow', exact: true }).click();
  await page.waitForURL(/\/sessions\/[a-z2-7]{16}$/);
  const current = page.getByRole('list', { name: 'Progress' }).locator('[aria-current="step"]');
  await expect(current).toContainText('Starting');
  await page.reload();
  await expect(current).toContainText('Starting');
  await page.getByText('Log', { exact: true }).click();
  await expect(page.locator('pre.log').first()).toBeVisible();
  const session = /sessions\/([a-z2-7]{16})/.exec(page.url())![1]!;
  await page.goto(`http://s-${session}.localhost:${server.port}/`);
  await expect(page.getByRole('heading', { name: 'Slow is not ready yet' })).toBeVisible();
  await page.getByRole('link', { name: 'Show its progress' }).click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByText('You cancelled it before it was ready.', { exact: true })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Start again' })).toBeVisible();
});

test('an application that dies says how, and shows its last lines', async ({ page }) => {
  await logIn(page, server, 'bela');
  await page.getByRole('button', { name: 'Start Dies', exact: true }).click();
  await expect(page.getByRole('alert')).toContainText('ended with status 3 before it answered');
  await expect(page.locator('pre.log').first()).toContainText('the disk is full');
});

test('the limit of sessions is said in words', async ({ page }) => {
  await logIn(page, server, 'cora');
  for (let count = 0; count < 5; count++) {
    await page.goto(server.portal);
    await page.getByRole('button', { name: 'Start Slow', exact: true }).click();
    await page.waitForURL(/\/sessions\//);
  }
  await page.goto(server.portal);
  await expect(page.getByText('5 of 5 sessions in use')).toBeVisible();
  await page.getByRole('button', { name: 'Start Slow', exact: true }).click();
  await expect(page.getByText(/may have 5 at once/)).toBeVisible();
});
