// `npm start`: sets up and runs the main job on real input. Arguments after `--` go to it.
import "./node-version.mjs";
const { install, runNode } = await import("./install.mjs");

await install();
process.exit(await runNode(["examples/digest/main.ts", ...process.argv.slice(2)]));
