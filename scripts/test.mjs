// `npm test`: sets up, runs every test, and closes with the line `N passed, N failed`. Arguments after `--` go to vitest.
import "./node-version.mjs";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
const { install, root, runNode } = await import("./install.mjs");

await install();
const summaryFile = join(root, "node_modules", `.millrace-test-summary-${process.pid}.json`);
const code = await runNode(
  [
    join("node_modules", "vitest", "vitest.mjs"),
    "run",
    "--reporter=default",
    "--reporter=./scripts/test-summary.mjs",
    "--reporter=./scripts/interop-matrix.mjs",
    ...process.argv.slice(2),
  ],
  { MILLRACE_TEST_SUMMARY: summaryFile },
);
const summary = existsSync(summaryFile) ? JSON.parse(readFileSync(summaryFile, "utf8")) : undefined;
rmSync(summaryFile, { force: true });

const passed = summary?.passed ?? 0;
// A run that ended badly without a failed test (a crash, a broken configuration) is one failure of its own.
const failed = Math.max(summary?.failed ?? 0, code === 0 ? 0 : 1);
const skipped = summary?.skipped ?? [];
if (skipped.length > 0) {
  console.log(`${skipped.length} skipped:`);
  for (const [reason, count] of summary.skipReasons) console.log(`  ${count} × ${reason}`);
}
if (passed + failed === 0) console.log("No test ran.");
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
