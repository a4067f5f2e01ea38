// The far side of the scenario `cancel`: a process whose handlers wait to be cancelled, or a bare
// subscription. Says over IPC when what was sent to it arrived, by the machine's monotonic clock,
// which is the same in every process.
import { connectBroker } from "@millrace/broker-nats";
import { createNode } from "@millrace/runtime";
import { connect as connectNats } from "@nats-io/transport-node";
import { noOp } from "./no-op-job.ts";

const [kind, url = "", namespace = ""] = process.argv.slice(2);
const say = (message: object): void => void process.send?.(message);
const heard = (): void => say({ heardNs: String(process.hrtime.bigint()) });

if (kind === "bare") {
  const nc = await connectNats({ servers: url, noAsyncTraces: true });
  nc.subscribe(`${namespace}.cancel.*`, { callback: heard });
  await nc.flush();
} else {
  const broker = await connectBroker({ servers: [url], namespace });
  const job = noOp.handler(
    ({ signal }) =>
      new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => {
          heard();
          resolve();
        });
        say({ started: true });
      }),
  );
  const node = createNode({ broker, jobs: [job] });
  node.events.on("job.settled", () => say({ settled: true }));
  await node.start();
}
say({ ready: true });
