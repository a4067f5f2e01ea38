// `npm start`: sets up and runs the main job on real input. `--help` says more.
import "./node-version.mjs";
import { readOptions } from "./read-options.mjs";
const { install, runNode } = await import("./install.mjs");

const USAGE = `npm start [-- --keep]

Starts a NATS server and two nodes, digests every file of a package as jobs, kills one of the nodes on the way, and checks what came out.
Everything is put into the repository's own folders and a temporary one; nothing else on the machine changes.

  --keep   leaves a node and the dashboard up at the end, and says how to publish to the node
  --help   this`;
const { keep } = readOptions("start", USAGE, { keep: { type: "boolean", default: false } });
await install();
process.exit(await runNode(["examples/digest/main.ts", ...(keep ? ["--keep"] : [])]));
