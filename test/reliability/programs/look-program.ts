// A node whose handlers look at their signals. Its one argument is a `ConnectConfig` with a lease,
// as JSON.
import { createNode, stopOnSignals } from "@millrace/runtime";
import { connectTo } from "./connect.ts";
import { here, inThread } from "./look.job.ts";
import type { ConnectConfig } from "./work.ts";

const config = JSON.parse(process.argv[2] ?? "{}") as ConnectConfig & { readonly leaseMs: number };
const broker = await connectTo(config);
const node = createNode({ broker, jobs: [here, inThread], slots: 20, lease: config.leaseMs });
stopOnSignals(node);
await node.start();
console.log("ready");
await node.stopped;
await broker.close();
