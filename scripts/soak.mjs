// `pnpm soak [--minutes 60] [--rate 100] [--seed N [--from PHASE]] [--server newest|2.10] [--json]`:
// a steady load under random faults, judged by the oracle and by what must not grow. Ends with 1
// when the verdict is bad. The same seed plans the same faults.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import "./node-version.mjs";
import { readOptions } from "./read-options.mjs";
import { refuseUnusable } from "./faults-options.mjs";
const { install, runNode } = await import("./install.mjs");

const USAGE = `pnpm soak [--minutes 60] [--rate 100] [--seed N [--from PHASE]] [--server newest|2.10] [--json]

A steady load (jobs a second arrive by a fixed schedule) under random faults. Judged at the end: nothing lost, nothing run twice without a
reason, and no growth of heap, handles, descriptors, streams, consumers, subscriptions or pending jobs. Progress goes to standard error.
--from leaves out the plan's first phases, to get to where an earlier run broke. Exit code 1 when the verdict is bad.`;

const values = readOptions("soak", USAGE, {
  minutes: { type: "string", default: "60" },
  rate: { type: "string", default: "100" },
  seed: { type: "string" },
  from: { type: "string", default: "0" },
  server: { type: "string", default: "newest" },
  json: { type: "boolean", default: false },
});
refuseUnusable("soak", values);
await install();
const directory = mkdtempSync(join(tmpdir(), "millrace-soak-"));
const report = join(directory, "report.json");
const code = await runNode(
  [
    // The ledger of an hour is judged in one piece.
    "--max-old-space-size=8192",
    "node_modules/vitest/vitest.mjs",
    "run",
    "--reporter=verbose",
    "--disable-console-intercept",
    "--execArgv=--max-old-space-size=8192",
    "test/reliability/soak/soak.test.ts",
  ],
  {
    MILLRACE_SOAK_MINUTES: values.minutes,
    MILLRACE_SOAK_RATE: values.rate,
    MILLRACE_SOAK_SERVER: values.server,
    MILLRACE_SOAK_OUT: report,
    MILLRACE_SOAK_FROM: values.from,
    ...(values.seed === undefined ? {} : { MILLRACE_SOAK_SEED: values.seed }),
  },
  { stdout: "stderr" },
);
if (values.json && existsSync(report)) console.log(readFileSync(report, "utf8"));
rmSync(directory, { recursive: true });
process.exit(code);
