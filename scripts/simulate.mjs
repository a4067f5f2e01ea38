// `pnpm simulate [--minutes 1] [--seed N] …`: the real runtime in simulated worlds, judged by an
// oracle. `--help` says more.
import "./node-version.mjs";
const { install, runNode } = await import("./install.mjs");

await install();
process.exit(await runNode(["test/simulation/simulate-program.ts", ...process.argv.slice(2)], {}));
