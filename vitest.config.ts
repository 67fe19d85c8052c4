import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests run real programs; on a busy machine of two cores the slowest takes some seconds.
    testTimeout: 30_000,
    hookTimeout: 120_000,
    allowOnly: false,
    maxWorkers: 2,
  },
});
