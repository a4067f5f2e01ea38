// `npm test`: sets up, runs the short part of the tests (test/harness/part.ts), and closes with the
// line `N passed, N failed`. `--all` runs every test; other arguments after `--` go to vitest, and
// are run against both servers.
import "./node-version.mjs";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
const { install, root, runNode } = await import("./install.mjs");

const USAGE = `npm test [-- options] [-- FILES and options of vitest]

Without options: the short part of the tests, on the newest server.

  --all            every test, as CI runs them (npm run test:long)
  --cluster        each server of a test is a cluster of three, whose members are killed; --cluster=2.10 of that server
  FILES, -t NAME   those tests, against both servers
  --help           this

MILLRACE_TEST_SERVER=2.12 (or another generation) takes that server in place of the newest. The last line says how many passed and failed.`;
if (process.argv.includes("--help")) {
  console.log(USAGE);
  process.exit(0);
}
await install();
const { args, cluster, short } = readArguments(process.argv.slice(2));
const tally = join(root, "node_modules", `.millrace-test-tally-${process.pid}.jsonl`);
const first = await run(args);
// Node's own crash ends a file half-way and says nothing about the tests. Each such file is run
// once more, and is said.
const crashed = first.summary?.crashed ?? [];
for (const { file, signal } of crashed)
  console.log(`\nNode itself crashed (${signal}) in ${relative(root, file)}: it is run again.`);
const again = crashed.length > 0 ? await run(crashed.map(({ file }) => file)) : undefined;

const summaries = [first.summary, again?.summary].filter((summary) => summary !== undefined);
const passed = summaries.reduce((sum, summary) => sum + summary.passed, 0);
const counted = summaries.reduce((sum, summary) => sum + summary.failed, 0);
const { code } = again ?? first;
// A run that ended badly without a failed test (a second crash, a broken configuration) is one
// failure of its own.
const failed = Math.max(counted, code === 0 ? 0 : 1);
const skipped = summaries.flatMap((summary) => summary.skipped);
if (skipped.length > 0) {
  console.log(`${skipped.length} skipped:`);
  for (const { skipReasons } of summaries)
    for (const [reason, count] of skipReasons) console.log(`  ${count} × ${reason}`);
}
if (passed + failed === 0) console.log("No test ran.");
if (cluster !== undefined) console.log(killsOf(tally));
if (short) console.log("The short part, on the newest server. Everything: npm run test:long");
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);

/**
 * `--cluster` or `--cluster=2.10`: each server of a test is three (test/harness/cluster); by
 * default all tests that need one.
 */
function readArguments(given) {
  const flag = given.find((arg) => /^--cluster(=|$)/.test(arg));
  const rest = given.filter((arg) => arg !== flag && arg !== "--all");
  if (flag === undefined) return { args: rest, cluster: undefined, short: given.length === 0 };
  return {
    args: rest.length > 0 ? rest : ["test/", "examples/"],
    cluster: flag.split("=")[1] ?? "newest",
    short: false,
  };
}

/** How many leaders were killed, from what the harness wrote for each cluster. */
function killsOf(file) {
  const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  rmSync(file, { force: true });
  const kills = lines.reduce((sum, line) => sum + JSON.parse(line).kills, 0);
  return `${lines.length} clusters of three, ${kills} of their members killed`;
}

/** Vitest with these arguments, to its end. */
async function run(args) {
  const file = join(root, "node_modules", `.millrace-test-summary-${process.pid}.json`);
  const code = await runNode(
    [
      join("node_modules", "vitest", "vitest.mjs"),
      "run",
      "--reporter=default",
      "--reporter=./scripts/test-summary.mjs",
      "--reporter=./scripts/interop-matrix.mjs",
      ...args,
    ],
    {
      MILLRACE_TEST_SUMMARY: file,
      ...(short ? { MILLRACE_TEST_PART: "short" } : {}),
      ...(cluster === undefined
        ? {}
        : { MILLRACE_TEST_CLUSTER: cluster, MILLRACE_TEST_TALLY: tally }),
    },
  );
  const summary = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
  rmSync(file, { force: true });
  return { code, summary };
}
