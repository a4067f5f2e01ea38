// `pnpm simulate [--minutes 1] [--seed N] …`: the real runtime in simulated worlds, judged by an
// oracle. `--help` says more.
import "./node-version.mjs";
const { install, runNode } = await import("./install.mjs");

await install();
const args = process.argv.slice(2);
const kind = ["outbox", "machines"].find((one) => args.includes(`--${one}`));
const program = kind === undefined ? "simulate-program.ts" : `${kind}/simulate-program.ts`;
// A world is garbage a moment after it was made: with more room for what is young, less is copied.
const young = "--max-semi-space-size=64";
process.exit(await runNode([young, `test/simulation/${program}`, ...args], {}));
