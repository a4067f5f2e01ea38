// A node whose handler has steps, and that kills itself at a point. Its one argument is a
// `StepsConfig` as JSON.
import { withOwn } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { connectTo } from "../reliability/programs/connect.ts";
import { die } from "../reliability/programs/die.ts";
import { printLogger } from "../reliability/programs/print-logger.ts";
import { effectsIn, LEASE, signup, type StepsConfig } from "./signup.ts";

const config = JSON.parse(process.argv[2] ?? "{}") as StepsConfig;
const log = printLogger("dying");
const broker = await connectTo(config, log);
const at = (point: string): void => {
  if (point === config.dieAt) die(point);
};

const { journal } = broker;
const dying = withOwn(broker, {
  journal: withOwn(journal, {
    write: async (run, step, data, options) => {
      at(`before the record of ${step.name}`);
      const stored = await journal.write(run, step, data, options);
      at(`after the record of ${step.name}`);
      return stored;
    },
    remove: async (run) => {
      at("before the steps are forgotten");
      await journal.remove(run);
      at("after the steps are forgotten");
    },
  }),
  settle: async (delivery, steps) => {
    for (const step of steps) {
      await broker.settle(delivery, [step]);
      at(`after the ${step.do}`);
    }
    if (steps.length === 0) await broker.settle(delivery, steps);
  },
});
const node = createNode({
  name: "dying",
  broker: dying,
  jobs: [signup(config.queue, effectsIn(config.effects))],
  lease: LEASE,
  log,
});
await node.start();
console.log("ready");
