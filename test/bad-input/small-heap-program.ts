// A node whose jobs fail at first and then succeed. Arguments: server, namespace, slots.
import { connectBroker } from "@millrace/broker-nats";
import { defineJob } from "@millrace/core";
import { createNode } from "@millrace/runtime";

const [servers = "", namespace = "", slots = "16"] = process.argv.slice(2);
const broker = await connectBroker({ servers, namespace });
const retry = { attempts: 2, backoff: "none" } as const;
const worst = defineJob({ name: "worst", queue: "worst", retry }).handler(({ attempt }) => {
  if (attempt === 1) throw new Error("at first it fails");
});
const other = defineJob({ name: "other", queue: "others" }).handler(() => {});
const node = createNode({ broker, jobs: [worst, other], slots: Number(slots) });
await node.start();
process.stdout.write("ready\n");
