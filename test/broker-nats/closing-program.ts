// Connects, enqueues a job, and closes when it is told to. Its arguments are a server and a
// namespace.
import { connectBroker } from "@millrace/broker-nats";
import { jobFor } from "./collecting-worker.ts";

const [servers = "", namespace = ""] = process.argv.slice(2);
const broker = await connectBroker({
  servers,
  namespace,
  pingIntervalMs: 1_000,
  reconnectWaitMs: 50,
});
await broker.queues.ensure("q");
await broker.enqueue([jobFor("q")]);
broker.onStatus((status) => console.log(status));
process.once("message", () => {
  void broker.close().then(() => {
    console.log("it is closed");
    process.disconnect();
  });
});
console.log("ready");
