import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";
import { FileOrder } from "./test/harness/file-order.ts";
import { clusterMode, patient } from "./test/harness/cluster/mode.ts";
import { isShortPart, longGlobs } from "./test/harness/part.ts";

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
      "packages/*/{src,page}/**/*.test.ts",
      "test/**/*.test.ts",
      "examples/**/*.test.ts",
      "bench/**/*.test.ts",
    ],
    exclude: [...configDefaults.exclude, ...(isShortPart() ? longGlobs() : [])],
    globalSetup: ["test/harness/obtain-servers.ts", "test/harness/compile-cache.ts"],
    setupFiles: ["test/harness/leaks.ts"],
    testTimeout: patient(180_000),
    hookTimeout: patient(180_000),
    // Files run in processes of their own: several of them freeze, kill and count processes.
    pool: "forks",
    // Most files wait most of the time, for processes to start and leases to end: two cores serve three.
    maxWorkers: 3,
    sequence: { sequencer: FileOrder },
    retry: 0,
    passWithNoTests: false,
  },
});
