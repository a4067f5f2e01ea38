import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "test/**/*.test.ts",
      "examples/**/*.test.ts",
      "bench/**/*.test.ts",
    ],
    globalSetup: ["test/harness/obtain-servers.ts"],
    setupFiles: ["test/harness/leaks.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Files run in processes of their own: several of them freeze, kill and count processes.
    pool: "forks",
    maxWorkers: 2,
    retry: 0,
    passWithNoTests: false,
  },
});
