// `pnpm chaos [--minutes 10] [--seed N] [--server newest|2.10]`: a long random run of faults,
// judged by the oracle. The same seed plans the same faults.
import { parseArgs } from "node:util";
import "./node-version.mjs";
const { install, runNode } = await import("./install.mjs");

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string" },
    server: { type: "string", default: "newest" },
  },
});
if (!(Number(values.minutes) > 0)) {
  console.error(`chaos: --minutes must be a number above 0; got ${values.minutes}.`);
  process.exit(2);
}
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
      MILLRACE_CHAOS_SERVER: values.server,
      ...(values.seed === undefined ? {} : { MILLRACE_CHAOS_SEED: values.seed }),
    },
  ),
);
