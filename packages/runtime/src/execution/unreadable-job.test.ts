import { defineJob, StepError, UNSETTLED } from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

/** No envelope has such a number, as one from a client in another language may. */
const UNREADABLE = { maxAttempts: 0.5 };

const work = defineJob({ name: "t.work", queue: QUEUE });
const report = defineJob({ name: "t.report", queue: QUEUE });
const order = defineJob({ name: "t.order", queue: QUEUE, steps: true });

test("a job that can't be read is no longer open in its batch", async () => {
  const told: unknown[] = [];
  const { clock, broker, enqueue } = await simulatedNode({
    jobs: [work.handler(() => {}), report.handler(({ input }) => void told.push(input))],
  });
  const callback = {
    ...UNSETTLED,
    ...{ id: "b:callback", name: "t.report", queue: QUEUE, payload: null, headers: {} },
    createdAt: clock.now(),
  };
  await broker.batches.open({ id: "b", createdAt: clock.now(), callback });
  await broker.batches.join("b", [{ id: "a", queue: QUEUE }]);
  await enqueue("t.work", null, { batch: "b", ...UNREADABLE });
  await clock.advance("10s");
  expect(told).toMatchObject([
    { batch: { total: 1, dead: 1, failed: [{ id: "a", end: "dead" }] } },
  ]);
});

test("a step that has called a job which can't be read is told so", async () => {
  const { clock, broker, enqueue, history } = await simulatedNode({
    jobs: [
      work.handler(() => "never"),
      order.handler(({ step }) =>
        step.call(work, null).catch((error: unknown) => {
          if (!StepError.is(error)) throw error;
          return error.type;
        }),
      ),
    ],
  });
  const publish = broker.enqueue.bind(broker);
  broker.enqueue = (envelopes, call) =>
    publish(
      envelopes.map((one) => (one.name === "t.work" ? { ...one, ...UNREADABLE } : one)),
      call,
    );
  await enqueue("t.order");
  await clock.advance("10s");
  expect((await history()).at(-1)).toMatchObject({
    state: "succeeded",
    output: "invalid-envelope",
  });
});

test("a job that can't be read is on record as the one that was enqueued", async () => {
  const { clock, enqueue, history } = await simulatedNode({ jobs: [work.handler(() => {})] });
  const createdAt = clock.now() - 5;
  await enqueue("t.work", null, { createdAt, parent: { id: "p", queue: QUEUE }, ...UNREADABLE });
  await clock.advance("1s");
  expect((await history()).at(-1)).toMatchObject({
    ...{ state: "dead", reason: "invalid-envelope", createdAt },
    parent: { id: "p", queue: QUEUE },
  });
});
