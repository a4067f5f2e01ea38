// A node whose job waits for a signal and calls another job, and that kills itself at a point. Its
// one argument is an `AskingConfig` as JSON.
import { withOwn } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { connectTo } from "../reliability/programs/connect.ts";
import { die } from "../reliability/programs/die.ts";
import { printLogger } from "../reliability/programs/print-logger.ts";
import { asking, type AskingConfig } from "./asking.ts";
import { LEASE } from "./signup.ts";

const config = JSON.parse(process.argv[2] ?? "{}") as AskingConfig;
const log = printLogger("dying");
const broker = await connectTo(config, log);
const at = (point: string): void => {
  if (point === config.dieAt) die(point);
};

const { journal, delayed, signals } = broker;
const dying = withOwn(broker, {
  journal: {
    read: (run) => journal.read(run),
    write: async (run, step, data, options) => {
      const what = step.name.startsWith("millrace-call:") ? "the child's end" : step.name;
      at(`before the record of ${what}`);
      const stored = await journal.write(run, step, data, options);
      at(`after the record of ${what}`);
      return stored;
    },
    remove: (run) => journal.remove(run),
  },
  delayed: {
    list: (query) => delayed.list(query),
    count: (queue) => delayed.count(queue),
    newest: (options) => delayed.newest(options),
    of: (job) => delayed.of(job),
    move: async (...job) => {
      at("before the wake");
      const moved = await delayed.move(...job);
      at("after the wake");
      return moved;
    },
  },
  signals: {
    send: (signal, body) => signals.send(signal, body),
    read: (signal) => signals.read(signal),
    drop: (signal, sequence) => signals.drop(signal, sequence),
    newest: (job) => signals.newest(job),
    remove: async (job, until) => {
      at("before the signals are forgotten");
      await signals.remove(job, until);
    },
    follow: (hear) => signals.follow(hear),
  },
});
const node = createNode({ name: "dying", broker: dying, jobs: asking(config), lease: LEASE, log });
await node.start();
console.log("ready");
