// A node with schedules, whose clock may be off and which may be struck at a point of a tick. Its
// one argument is a `ProgramConfig` as JSON.
import { connectBroker } from "@millrace/broker-nats";
import { defineJob, defineSchedule } from "@millrace/core";
import { createNode, stopOnSignals } from "@millrace/runtime";
import { printLogger } from "../reliability/programs/print-logger.ts";
import { JOB, type ProgramConfig, QUEUE, type Said, type Told } from "./program-config.ts";
import { strikingBroker } from "./striking-broker.ts";

const config = JSON.parse(process.argv[2] ?? "{}") as ProgramConfig;
/** What a node that has stopped still has to say comes after the channel is closed. */
const say = (message: Said): void => {
  if (process.connected) process.send?.(message);
};

let offsetMs = config.offsetMs;
process.on("message", ({ jumpMs }: Told) => void (offsetMs += jumpMs));
// The whole machine's, so that the connection is off as the node is.
const rightNow = Date.now;
Date.now = () => rightNow() + offsetMs;

let ticks = 0;
let struck = false;
const { strike } = config;
const log = printLogger(config.name);
const connected = await connectBroker({
  servers: config.servers,
  namespace: config.namespace,
  waitOnFirstConnect: true,
  reconnectWaitMs: 50,
  // One that was frozen shall find its connection as it was, and what it writes then shall arrive.
  pingIntervalMs: 60_000,
  logger: log,
});
const broker =
  strike === undefined
    ? connected
    : strikingBroker(connected, (point) => {
        if (point === "before-intent") ticks += 1;
        // A tick may fail before it gets there, in an election; then the next one does.
        if (struck || ticks < 2 || point !== strike.at) return;
        struck = true;
        console.log(`${strike.signal} ${point}`);
        // Delivered before the call returns, on Linux.
        process.kill(process.pid, strike.signal);
      });
const job = defineJob({ name: JOB, queue: QUEUE });
const node = createNode({
  name: config.name,
  broker,
  lease: config.leaseMs,
  schedulerLease: config.leaseMs,
  grace: "2s",
  jobs: [job.handler((context) => say({ say: "ran", id: context.job.id }))],
  schedules: config.schedules.map((timing) => defineSchedule({ ...timing, job })),
  log,
});
node.events.on("scheduler.leader", ({ leading }) => say({ say: "leading", leading }));
node.events.on("job.settled", ({ id, state }) => {
  if (state === "recalled") say({ say: "dropped", id });
});
node.events.on("schedule.fired", ({ schedule, tick, lateMs }) =>
  say({ say: "fired", schedule, tick, lateMs }),
);
node.events.on("schedule.skipped", ({ schedule, at, upTo, count }) =>
  say({ say: "skipped", schedule, at, upTo, count }),
);
stopOnSignals(node);
await node.start();
say({ say: "ready" });
console.log("ready");

await node.stopped;
await connected.close({ withinMs: node.stopLeftMs });
process.disconnect?.();
