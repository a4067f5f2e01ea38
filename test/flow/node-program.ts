import { createNode } from "millrace";
import jobs, { doubling } from "./jobs.ts";

const [servers = "", namespace = "", name = ""] = process.argv.slice(2);
const node = await createNode({
  servers,
  namespace,
  env: {},
  jobs: [jobs, doubling],
  nodeName: name,
  leaseMs: 3_000,
  slots: 16,
});
await node.start();
console.log("ready");
