// `pnpm check`: the whole gate (`--required`: with an audit that must be answered), each step with
// its time. All steps run, so that one look shows everything that is wrong.
import { spawnSync } from "node:child_process";
import "./node-version.mjs";
const { env, install, node, root } = await import("./install.mjs");

await install();
const bin = (name) => `node_modules/.bin/${name}`;
const steps = [
  ["format", bin("prettier"), ["--check", "--log-level", "warn", "."]],
  ["comments", node, ["scripts/check-width.mjs"]],
  ["lint", bin("oxlint"), ["--type-aware", "--deny-warnings"]],
  ["types", bin("tsc"), ["--noEmit", "-p", "tsconfig.json"]],
  ["page types", bin("tsc"), ["--noEmit", "-p", "packages/dashboard/page"]],
  ["boundaries", node, ["scripts/check-boundaries.mjs"]],
  ["diagrams", node, ["scripts/draw-architecture.mjs", "--check"]],
  ["dead code", bin("knip"), ["--no-config-hints"]],
  ["build", node, ["scripts/build.mjs"]],
  ["packages", node, ["scripts/check-packages.mjs"]],
  ["audit", node, ["scripts/audit.mjs", ...process.argv.slice(2)]],
];
/** Of a step that could not find out, as without a registry that is asked for audits. */
const UNKNOWN = 2;
let failed = 0;
for (const [name, command, args] of steps) {
  const startedAt = performance.now();
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, env, encoding: "utf8" });
  const took = `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
  const unknown = name === "audit" && status === UNKNOWN;
  console.log(
    `${status === 0 ? "ok    " : unknown ? "?     " : "FAILED"} ${name.padEnd(12)} ${took}`,
  );
  if (status === 0) continue;
  if (!unknown) failed += 1;
  console.log(`${stdout}${stderr}`);
}
console.log(failed === 0 ? "The gate is open." : `${failed} of ${steps.length} checks failed.`);
process.exit(failed === 0 ? 0 : 1);
