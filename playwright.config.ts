import { defineConfig } from 'playwright/test';
import { chromiumArguments, chromiumPath } from './test/kit/chromium.ts';

export default defineConfig({
  testDir: 'test/browser',
  testMatch: '**/*.spec.ts',
  timeout: 90_000,
  expect: { timeout: 15_000 },
  // Each file has a server of its own; two cores carry two of them.
  workers: 2,
  retries: 0,
  forbidOnly: true,
  outputDir: '.cache/browser',
  use: {
    viewport: { width: 1280, height: 800 },
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    launchOptions: { executablePath: chromiumPath, args: chromiumArguments },
  },
});
