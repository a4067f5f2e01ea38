#!/usr/bin/env node
// Nothing else is imported before Node is known to understand it.
import { nodeProblem } from "../supported-node.ts";

const problem = nodeProblem(process.versions);
if (problem === undefined) await import("./run-main.ts");
else {
  process.exitCode = 2;
  if (process.argv.includes("--json"))
    console.log(JSON.stringify({ error: { code: "nodejs-too-old", message: problem } }));
  else console.error(`error ${problem} (nodejs-too-old)`);
}
