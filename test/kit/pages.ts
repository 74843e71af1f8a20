// What a person does in the browser: log in, start, work in Lab.
import { expect, type Page } from 'playwright/test';
import type { TestServer } from './server.ts';

export async function logIn(page: Page, server: TestServer, username: string): Promise<void> {
  await page.goto(`${server.portal}/`);
  await page.getByRole('link', { name: /log in/i }).click();
  await page.getByLabel('Name').fill(username);
  await page.getByLabel('Password').fill(server.passwords.get(username)!);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('heading', { name: 'Your sessions' })).toBeVisible();
}

/** Presses Start of a profile and waits until the session's own address is open. @returns its origin */
export async function startLab(page: Page): Promise<string> {
  await page.getByRole('button', { name: 'Start JupyterLab', exact: true }).click();
  await page.waitForURL(/^https?:\/\/s-[a-z2-7]{16}\./, { timeout: 60_000 });
  await labIsUp(page);
  return new URL(page.url()).origin;
}

export async function labIsUp(page: Page): Promise<void> {
  await expect(page.locator('#jp-main-dock-panel')).toBeVisible({ timeout: 60_000 });
}

/** Makes a notebook from the launcher and waits for its kernel. Lab says idle before it has one, so its answer is what counts. */
export async function newNotebook(page: Page): Promise<void> {
  const kernel = kernelAnswers(page);
  await page.locator('.jp-LauncherCard[data-category="Notebook"]').first().click();
  await expect(page.locator('.jp-Notebook')).toBeVisible({ timeout: 30_000 });
  await kernel;
  await kernelIs(page, 'idle');
}

/** The next websocket to a kernel has brought an answer. */
export async function kernelAnswers(page: Page): Promise<void> {
  const socket = await page.waitForEvent('websocket', (one) => one.url().includes('/channels'));
  await socket.waitForEvent('framereceived', ({ payload }) => payload.toString('latin1').includes('kernel_info_reply'));
}

export async function kernelIs(page: Page, status: 'idle' | 'connecting'): Promise<void> {
  await expect(page.locator(`.jp-NotebookPanel-toolbar [data-status="${status}"]`).first()).toBeVisible({
    timeout: 60_000,
  });
}

/** Types into the cell with this number (from 0), the last, runs it, and returns the text that it printed. */
export async function runCell(page: Page, number: number, code: string): Promise<string> {
  const cells = page.locator('.jp-Notebook .jp-CodeCell');
  await expect(cells).toHaveCount(number + 1);
  const cell = cells.nth(number);
  await cell.locator('.cm-content').click();
  await page.keyboard.insertText(code);
  await page.keyboard.press('Shift+Enter');
  await expect(cells).toHaveCount(number + 2);
  await expect(cell.locator('.jp-InputPrompt')).toHaveText(/^\[\d+\]:$/, { timeout: 60_000 });
  return (await cell.locator('.jp-OutputArea-output').allInnerTexts()).join('').trim();
}

/** Stops a ready session by its menu, at home or on its own page, and waits until it says so. */
export async function stopSession(page: Page, title: string): Promise<void> {
  await page.getByRole('button', { name: `More for ${title}` }).click();
  await page.getByRole('menuitem', { name: 'Stop session' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Stop session' }).click();
  await expect(page.getByText('Stopped', { exact: true }).first()).toBeVisible({ timeout: 30_000 });
}
