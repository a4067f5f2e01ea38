// The node of a level, in a process of its own: its one argument is a `NodeSetup` as JSON. Starts
// and stops its node when told, and says how far it is.
import { connectBroker } from "@millrace/broker-nats";
import { createNode, type MillraceNode, tuneEngine } from "@millrace/runtime";
import { type NodeSaid, type NodeSetup, type NodeTold } from "./node-messages.ts";
import { scaleJob } from "./scale-job.ts";

const TELL_MS = 10;
tuneEngine();
const setup = JSON.parse(process.argv[2] ?? "{}") as NodeSetup;
const broker = await connectBroker({ servers: setup.url, namespace: setup.namespace });
let node: MillraceNode | undefined;
let succeeded = 0;
let deferred = 0;
let told = "";
const lateness: number[] = [];
const say = (message: NodeSaid): void => void process.send?.(message);

const jobs = Array.from({ length: setup.queues }, (_, queue) =>
  scaleJob(queue).handler(({ input }) => {
    if (input.due !== undefined) lateness.push(Date.now() - input.due);
  }),
);

process.on("message", (message: NodeTold) => {
  if (message.do === "start") void start();
  if (message.do === "stop") void stop();
  if (message.do === "end") void end();
});
const telling = setInterval(() => {
  const now = `${succeeded} ${deferred}`;
  if (now !== told) say({ say: "progress", succeeded, deferred });
  told = now;
}, TELL_MS);
say({ say: "ready" });

async function start(): Promise<void> {
  node = createNode({ broker, jobs, slots: setup.slots });
  node.events.on("job.settled", ({ state }) => {
    if (state === "succeeded") succeeded += 1;
    else if (state === "requeued") deferred += 1;
    else throw new Error(`a job is ${state}`);
  });
  await node.start();
}

async function stop(): Promise<void> {
  await node?.stop();
  say({ say: "stopped", succeeded, deferred, lateness: lateness.splice(0) });
}

async function end(): Promise<void> {
  clearInterval(telling);
  await broker.close();
  process.disconnect?.();
}
