// npm run pictures: takes the pictures of the documentation from a real server, a real browser and a real JupyterLab.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright';
import { chromiumArguments, chromiumPath } from '../test/kit/chromium.ts';
import { logIn, newNotebook, runCell, startLab } from '../test/kit/pages.ts';
import { startServer } from '../test/kit/server.ts';

const folder = fileURLToPath(new URL('../docs/pictures', import.meta.url));
mkdirSync(folder, { recursive: true });
const server = await startServer();
const browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumArguments });
try {
  const context = await browser.newContext({ viewport: { width: 1180, height: 720 }, colorScheme: 'light' });
  const page = await context.newPage();
  const take = async (name: string): Promise<void> => {
    await page.screenshot({ path: path.join(folder, `${name}.png`) });
  };
  await logIn(page, server, 'ada');
  await page.getByRole('button', { name: 'Start JupyterLab', exact: true }).click();
  await page.getByRole('list', { name: /progress/i }).waitFor();
  await take('progress-light');
  await page.waitForURL(/\/lab/, { timeout: 60_000 });
  await page.goto(server.portal);
  await page.getByRole('link', { name: 'Open' }).waitFor();
  await take('home-light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await take('home-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto(`${server.portal}/`);
  await startLab(page);
  await newNotebook(page);
  await runCell(
    page,
    0,
    'import platform, os\nprint(f\'Python {platform.python_version()}, at home in {os.path.expanduser("~")}\')',
  );
  await take('lab');
} finally {
  await browser.close();
  await server.close();
}
