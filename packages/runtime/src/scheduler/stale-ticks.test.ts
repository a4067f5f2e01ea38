import { type Envelope, scheduleDefinition, tickJob } from "@millrace/core";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { refuseStaleTicks } from "./stale-ticks.ts";

const clock = new SimulatedClock();
const limit = refuseStaleTicks(new MemoryBroker({ clock, server: new MemoryServer(clock) }), clock);
const nightly = scheduleDefinition({
  ...{ name: "nightly", cron: "0 * * * *", job: "report", queue: "reports", payload: {} },
});

test.each<[what: string, fields: Partial<Envelope>, isJudged: boolean]>([
  ["has only been published", {}, true],
  ["was attempted", { attempts: 1 }, false],
  ["was interrupted", { interruptions: 1 }, false],
  ["was snoozed", { snoozes: 1 }, false],
  ["was a dead letter, and would be lost without a record", { life: 1, generation: 1 }, false],
])("of a tick's job that %s", (_what, fields, isJudged) => {
  const envelope = { ...tickJob(nightly, 0, 5, 0), ...fields };
  // The definition of the job has no say in it.
  expect(limit.concerns(envelope, {} as Parameters<typeof limit.concerns>[1])).toBe(isJudged);
});
