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
  journal: withOwn(journal, {
    write: async (run, step, data, options) => {
      const what = step.name.startsWith("millrace-call:") ? "the child's end" : step.name;
      at(`before the record of ${what}`);
      const stored = await journal.write(run, step, data, options);
      at(`after the record of ${what}`);
      return stored;
    },
  }),
  delayed: withOwn(delayed, {
    move: async (...job) => {
      at("before the wake");
      const moved = await delayed.move(...job);
      at("after the wake");
      return moved;
    },
  }),
  signals: withOwn(signals, {
    remove: async (job, until) => {
      at("before the signals are forgotten");
      await signals.remove(job, until);
    },
  }),
});
const node = createNode({ name: "dying", broker: dying, jobs: asking(config), lease: LEASE, log });
await node.start();
console.log("ready");
