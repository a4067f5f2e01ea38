import { CONTROLS_BUCKET, defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { makeNode, QUEUE } from "../fixtures/simulated-node.ts";

const job = defineJob({ name: "t.job", queue: QUEUE }).handler(({ attempt }) => attempt);

/** A node whose broker calls the first so many deliveries surplus. */
async function nodeWithSurplus(
  surplus: number,
  jobs: readonly unknown[] = [job],
): Promise<ReturnType<typeof makeNode>> {
  const made = makeNode({ jobs, slots: 1 });
  const { broker } = made;
  const work = broker.work.bind(broker);
  let left = surplus;
  broker.work = (queue, options) =>
    work(queue, {
      ...options,
      onDelivery: (delivery) => {
        left -= 1;
        if (left >= 0) options.onSurplus?.(delivery);
        else options.onDelivery(delivery);
      },
    });
  await made.node.start();
  return made;
}

test("a surplus job is handed back in its lane without having run, and costs it nothing", async () => {
  const { enqueue, history, said } = await nodeWithSurplus(2);
  await enqueue("t.job", null, { lane: "high" });
  // It takes no slot while it is handed back, so it may come again before that is told.
  expect(said.toSorted()).toEqual([
    "settled a requeued interrupted",
    "settled a requeued interrupted",
    "settled a succeeded succeeded",
    "started a",
  ]);
  const records = await history();
  expect(records.map(({ attempts, generation }) => [attempts, generation])).toEqual([
    [0, 0],
    [0, 1],
    [1, 2],
  ]);
  expect(records.at(-1)?.output).toBe(1);
});

test("what can't run anyway is not handed back but settled", async () => {
  const { enqueue, said, clock } = await nodeWithSurplus(1);
  await enqueue("t.job", null, { expiresAt: clock.now() - 1 });
  expect(said).toEqual(["settled a expired expired"]);
});

test("what was never let in puts back no token of the queue's rate", async () => {
  const ran: string[] = [];
  const counted = defineJob({ name: "t.job", queue: QUEUE }).handler(
    ({ job: { id } }) => void ran.push(id),
  );
  const { enqueue, broker, clock } = await nodeWithSurplus(5, [counted]);
  const controls = await broker.documents(CONTROLS_BUCKET);
  await controls.put(QUEUE, { rate: { limit: 2, perMs: 60_000 } });
  await clock.advance("1s");
  for (let id = 0; id < 10; id += 1) await enqueue("t.job", null, { id: `j${id}` });
  await clock.advance("5s");
  expect(ran).toHaveLength(2);
});
