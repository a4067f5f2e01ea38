// A node that runs orders until it is killed. Its one argument is an `OrderConfig` as JSON.
import { createNode } from "@millrace/runtime";
import { connectTo } from "../reliability/programs/connect.ts";
import { printLogger } from "../reliability/programs/print-logger.ts";
import { LEASE, type OrderConfig, orderJobs } from "./order-job.ts";

const config = JSON.parse(process.argv[2] ?? "{}") as OrderConfig;
const log = printLogger("node");
const broker = await connectTo(config, log);
const node = createNode({
  ...{ name: `n-${process.pid}`, broker, jobs: orderJobs(config), lease: LEASE, log },
  // It is killed again and again, and its jobs are not to blame.
  poisonAfter: 1_000,
});
await node.start();
console.log("ready");
