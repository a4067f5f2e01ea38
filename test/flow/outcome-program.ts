// A node that kills itself with SIGKILL right before a step of the first settlement that has it.
import { createNode } from "@millrace/runtime";
import { connectTo } from "../reliability/programs/connect.ts";
import { stepByStep } from "../reliability/programs/decorated-broker.ts";
import { die } from "../reliability/programs/die.ts";
import { type DieBefore, type End, handled, PATIENCE } from "./outcome-jobs.ts";

const [servers = "", namespace = "", end = "", dieBefore = ""] = process.argv.slice(2);
const broker = stepByStep(await connectTo({ servers, namespace }), (step) => {
  if (step.do === dieBefore) die(`before its ${dieBefore}`);
});
const node = createNode({
  name: `${end}-${dieBefore}`,
  broker,
  jobs: [handled(end as End, dieBefore as DieBefore, () => {})],
  ...PATIENCE,
});
await node.start();
console.log("ready");
