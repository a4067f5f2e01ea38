// `pnpm chaos [--minutes 10] [--seed N [--from PHASE]] [--server newest|2.10]`: a long random run of
// faults, judged by the oracle. The same seed plans the same faults.
import "./node-version.mjs";
import { readOptions } from "./read-options.mjs";
import { refuseUnusable } from "./faults-options.mjs";
const { install, runNode } = await import("./install.mjs");

const USAGE = `pnpm chaos [--minutes 10] [--seed N [--from PHASE]] [--server newest|2.10]

Random faults on real processes and a real server, judged by the oracle. The same seed plans the same faults.
--from leaves out the plan's first phases, to get to where an earlier run broke. Exit code 1 when a promise was broken.`;

const values = readOptions("chaos", USAGE, {
  minutes: { type: "string", default: "10" },
  seed: { type: "string" },
  from: { type: "string", default: "0" },
  server: { type: "string", default: "newest" },
});
refuseUnusable("chaos", values);
await install();
process.exit(
  await runNode(
    [
      "node_modules/vitest/vitest.mjs",
      "run",
      "--reporter=verbose",
      "test/reliability/chaos/chaos.test.ts",
    ],
    {
      MILLRACE_CHAOS_MINUTES: values.minutes,
      MILLRACE_CHAOS_FROM: values.from,
      MILLRACE_CHAOS_SERVER: values.server,
      ...(values.seed === undefined ? {} : { MILLRACE_CHAOS_SEED: values.seed }),
    },
  ),
);
