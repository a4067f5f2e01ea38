import { defineJob, defineMachine, defineSchedule, type Logger } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { createMachine } from "xstate";
import { createNode } from "./node.ts";

const work = defineJob({ name: "work", queue: "mail" });
type Told = readonly [level: string, fields: unknown];

async function told(options: object): Promise<readonly Told[]> {
  const clock = new SimulatedClock();
  const lines: Told[] = [];
  const at = (level: string) => (fields: unknown, text?: string) => {
    if (/because it was named|has no handler/.test(text ?? "")) lines.push([level, fields]);
  };
  const log: Logger = {
    ...{ debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
    child: () => log,
  };
  const jobs = [work.handler(() => {})];
  const broker = new MemoryBroker({ clock });
  const node = createNode({ broker, jobs, clock, log, ...options });
  await node.start();
  await node.stop({ immediate: true });
  return lines;
}

test("a queue that no job is defined on is warned of, with the one that was meant", async () => {
  expect(await told({ queues: { mial: { slots: 4 }, mail: { slots: 2 } } })).toEqual([
    ["warn", { queue: "mial", meant: "mail" }],
  ]);
});

test("a job of a hosted machine without a handler here is told of", async () => {
  const ship = defineJob({ name: "ship", queue: "parcels" });
  const machine = {
    ...defineMachine({ name: "order", machine: createMachine({}) }),
    jobs: { work, ship },
  };
  expect(await told({ machines: [machine] })).toEqual([
    ["info", { machine: "order", job: "ship", queue: "parcels" }],
  ]);
});

test("a node may have schedules and no job", async () => {
  const nightly = defineSchedule({ name: "nightly", cron: "@daily", job: work, input: null });
  expect(await told({ jobs: [], schedules: [nightly] })).toEqual([]);
});
