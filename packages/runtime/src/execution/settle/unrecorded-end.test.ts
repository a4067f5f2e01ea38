import { defineJob, MillraceError, StepError } from "@millrace/core";
import type { MemoryBroker } from "@millrace/testkit";
import { expect, test, vi } from "vitest";
import { QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";

const broken = defineJob({ name: "t.broken", queue: QUEUE, retry: "none" });
const parent = defineJob({ name: "t.parent", queue: QUEUE, steps: true });
const failing = broken.handler(() => Promise.reject(new RangeError("too far")));

/** The history takes no end of these jobs, ever. */
function refuseRecords(broker: MemoryBroker, name: string): void {
  const settle = broker.settle.bind(broker);
  vi.spyOn(broker, "settle").mockImplementation(async (delivery, steps) => {
    const index = steps.findIndex((step) => step.do === "record" && step.record.name === name);
    if (index < 0) return settle(delivery, steps);
    if (index > 0) await settle(delivery, steps.slice(0, index));
    throw new MillraceError("permission-denied", "no");
  });
}

test("a job learns of the death of one that it has called, though its end can't be recorded", async () => {
  const { broker, clock, enqueue, history } = await simulatedNode({
    jobs: [
      failing,
      parent.handler(async ({ step }) => {
        try {
          return await step.call(broken, null);
        } catch (error) {
          return StepError.is(error) ? error.type : String(error);
        }
      }),
    ],
  });
  refuseRecords(broker, "t.broken");
  await enqueue("t.parent");
  await clock.advance("2m");
  expect(await broker.deadLetters.list()).toMatchObject([{ name: "t.broken" }]);
  expect((await history("a")).at(-1)).toMatchObject({ state: "succeeded", output: "RangeError" });
});

test("so does a machine that has invoked one", async () => {
  const { broker, clock, enqueue } = await simulatedNode({ jobs: [failing] });
  const tell = vi.spyOn(broker.inbox, "tell");
  refuseRecords(broker, "t.broken");
  await enqueue("t.broken", null, { id: "millrace-m:order:o-1:run:1:0" });
  await clock.advance("2m");
  expect(await broker.deadLetters.list()).toMatchObject([{ name: "t.broken" }]);
  expect(tell.mock.calls.map(([machine]) => machine)).toMatchObject([
    { machine: "order", id: "o-1" },
  ]);
});

test("so is whom its definition tells of it", async () => {
  const told: unknown[] = [];
  const listening = defineJob<{ readonly end: string }>({ name: "t.told", queue: QUEUE });
  const telling = defineJob({
    name: "t.broken",
    queue: QUEUE,
    retry: "none",
    onDead: listening,
  }).handler(() => Promise.reject(new RangeError("too far")));
  const { broker, clock, enqueue } = await simulatedNode({
    jobs: [telling, listening.handler(({ input }) => void told.push(input))],
  });
  refuseRecords(broker, "t.broken");
  await enqueue("t.broken");
  await clock.advance("2m");
  expect(told).toMatchObject([{ end: "dead" }]);
});
