import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { clusterMode, patient } from "./test/harness/cluster/mode.ts";

/** In cluster mode everything is made with three replicas. */
const alias =
  clusterMode() === undefined
    ? []
    : [
        {
          find: /^@millrace\/broker-nats$/,
          replacement: fileURLToPath(
            new URL("test/harness/cluster/replicated-broker.ts", import.meta.url),
          ),
        },
      ];

export default defineConfig({
  resolve: { alias },
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "test/**/*.test.ts",
      "examples/**/*.test.ts",
      "bench/**/*.test.ts",
    ],
    globalSetup: ["test/harness/obtain-servers.ts"],
    setupFiles: ["test/harness/leaks.ts"],
    testTimeout: patient(30_000),
    hookTimeout: patient(60_000),
    // Files run in processes of their own: several of them freeze, kill and count processes.
    pool: "forks",
    maxWorkers: 2,
    retry: 0,
    passWithNoTests: false,
  },
});
