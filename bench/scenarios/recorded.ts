import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionLog } from "@millrace/core";
import { executionRecords, ndjsonRecords } from "millrace/telemetry";
import { millraceNode } from "./process.ts";
import type { Scenario } from "./scenario.ts";

/**
 * One record per attempt to files, as `--records-dir` sets it up. Fails where a record was dropped:
 * what is not written costs nothing.
 */
function toFiles(): ExecutionLog {
  const dir = mkdtempSync(join(tmpdir(), "millrace-bench-records-"));
  const records = executionRecords({ handlers: [ndjsonRecords({ dir })] });
  return {
    record: (...args) => records.record(...args),
    async close(withinMs) {
      await records.close(withinMs);
      rmSync(dir, { recursive: true });
      const { file: dropped = 0 } = records.dropped;
      if (dropped === 0) return;
      console.error(`${dropped} records were dropped`);
      process.exitCode = 1;
    },
  };
}

export const recorded: Scenario = {
  name: "recorded",
  question:
    "How many no-op jobs a second does one node run with execution records in files, against none?",
  amount: { full: 100_000, smoke: 500 },
  limit: millraceNode("Millrace node"),
  subject: millraceNode("Millrace node, records in files", { executionLog: toFiles }),
  goal: 0.6,
};
