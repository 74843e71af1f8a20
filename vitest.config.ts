import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/unit/**/*.test.{ts,tsx}', 'test/integration/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // Two at a time: many tests start real servers, and the smallest machine has two cores.
    maxWorkers: 2,
  },
});
