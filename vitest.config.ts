import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";
import { FileOrder } from "./test/harness/file-order.ts";
import { clusterMode, patient } from "./test/harness/cluster/mode.ts";
import { isShortPart, longGlobs } from "./test/harness/part.ts";
import { filesTogether } from "./test/harness/together.ts";

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

const together = filesTogether();

export default defineConfig({
  resolve: { alias },
  test: {
    exclude: [...configDefaults.exclude, ...(isShortPart() ? longGlobs() : [])],
    globalSetup: ["test/harness/obtain-servers.ts", "test/harness/compile-cache.ts"],
    setupFiles: ["test/harness/leaks.ts"],
    testTimeout: patient(180_000),
    hookTimeout: patient(180_000),
    pool: "forks",
    projects: [
      {
        // Files run in processes of their own: several of them freeze, kill and count processes.
        extends: true,
        test: {
          name: "alone",
          include: ["test/**/*.test.ts", "examples/**/*.test.ts", "bench/**/*.test.ts"],
          exclude: [...together],
        },
      },
      {
        // To start a process for each and to load everything anew took longer than its tests.
        extends: true,
        test: {
          name: "together",
          include: [...together],
          isolate: false,
          setupFiles: ["test/harness/left-behind.ts"],
        },
      },
    ],
    // Most files wait most of the time, for processes to start and leases to end: two cores serve
    // three, and four of those that wait for less. Four of all are faster by a tenth only, and keep
    // both cores so busy for minutes that what has a deadline misses it.
    maxWorkers: isShortPart() ? 4 : 3,
    sequence: { sequencer: FileOrder },
    retry: 0,
    passWithNoTests: false,
  },
});
