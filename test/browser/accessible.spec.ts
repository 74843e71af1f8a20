// Every page of the spine in light and dark: axe finds nothing, and the console stays clean.
import { fileURLToPath } from 'node:url';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, test, type Page } from 'playwright/test';
import { logIn, startLab, stopSession } from '../kit/pages.ts';
import { startServer, type TestServer } from '../kit/server.ts';

const profiles = fileURLToPath(new URL('../kit/profiles', import.meta.url));
let server: TestServer;
test.beforeAll(async () => {
  server = await startServer({ config: { profilesDir: profiles } });
});
test.afterAll(() => server.close());

/** What axe finds by WCAG 2.2 A and AA and by its own best practices, as lines. */
async function faults(page: Page): Promise<string[]> {
  const { violations, passes } = await new AxeBuilder({ page }).analyze();
  expect(passes.length).toBeGreaterThan(5);
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${page.url()} ${id}: ${node.target.join(' ')}`));
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`every page is clean in ${colorScheme}`, async ({ browser }) => {
    test.setTimeout(150_000);
    const context = await browser.newContext({ colorScheme, reducedMotion: 'reduce' });
    const page = await context.newPage();
    const found: string[] = [];
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (/Content Security Policy|Refused to/.test(message.text())) problems.push(message.text());
    });
    const look = async (heading: string | RegExp): Promise<void> => {
      await expect(page.getByRole('heading', { level: 1, name: heading })).toBeVisible();
      found.push(...(await faults(page)));
    };

    await page.goto(server.portal);
    await look(/Notebooks|Linkspan|sign|log in/i);
    await page.getByRole('link', { name: /log in/i }).click();
    await look(/log in/i);
    await page.getByLabel('Name').fill('ada');
    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', { name: 'Log in' }).click();
    await expect(page.getByRole('alert')).toBeVisible();
    await look(/log in/i);

    await logIn(page, server, 'ada');
    await look('Your sessions');
    // Starting, and with its menu open
    await page.getByRole('button', { name: 'Start Slow', exact: true }).click();
    await page.waitForURL(/\/sessions\//);
    await look('Slow');
    const slow = page.url();
    await page.goto(server.portal);
    await page.getByRole('button', { name: 'More for Slow' }).click();
    await expect(page.getByRole('menuitem').first()).toBeVisible();
    found.push(...(await faults(page)));
    await page.keyboard.press('Escape');
    await page.goto(slow);
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await expect(page.getByText('Cancelled', { exact: true }).first()).toBeVisible({ timeout: 30_000 });
    await look('Slow');
    // A question
    await page.getByRole('button', { name: 'More for Slow' }).click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    await expect(page.getByRole('dialog')).toBeVisible();
    found.push(...(await faults(page)));
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.waitForURL(`${server.portal}/`);
    // Failed, with its log
    await page.goto(server.portal);
    await page.getByRole('button', { name: 'Start Dies', exact: true }).click();
    await expect(page.getByText('Failed', { exact: true }).first()).toBeVisible({ timeout: 30_000 });
    await look('Dies');
    await page.goto(`${server.portal}/account`);
    await look(/account|Ada/i);
    await page.goto(`${server.portal}/sessions/aaaaaaaaaaaaaaaa`);
    await expect(page.getByRole('alert')).toBeVisible();
    found.push(...(await faults(page)));
    await page.goto(`${server.portal}/auth/logout`);
    await look('Log out?');
    // Pages of the gateway
    await page.goto(server.portal);
    const session = await startLab(page);
    await page.goto(`${server.portal}/sessions/${/s-([a-z2-7]{16})/.exec(session)![1]!}`);
    await stopSession(page, 'JupyterLab');
    await page.goto(`${session}/lab`);
    await look('JupyterLab has ended');
    await page.goto(`http://s-aaaaaaaaaaaaaaaa.localhost:${server.port}/`);
    await look(/.+/);
    await context.close();
    expect(found).toEqual([]);
    expect(problems).toEqual([]);
  });
}
