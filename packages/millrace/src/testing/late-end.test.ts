import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "./test-runtime.ts";

const charge = defineJob<{ order: string }, { order: string }, string>({
  ...{ name: "charge", queue: "charges", retry: "none" },
});
const order = defineJob({ name: "order", queue: "orders", steps: true, retry: "none" });

/** A job dies while the one that it has called waits; then its letter is discarded. */
async function scene(chargeIn: () => string) {
  let isUp = false;
  const t = await createTestRuntime({
    jobs: [
      charge.handler(chargeIn),
      order.handler(async ({ step }) => {
        const called = step
          .call(charge, { order: "7" })
          .catch((error: unknown) => `refused: ${(error as Error).message}`);
        await step.run("check", () => {
          if (!isUp) throw new Error("down");
        });
        return called;
      }),
    ],
  });
  const run = async (kind: "dead-discard" | "dead-retry") => {
    const { id } = await t.client.operations.start({ kind, filter: { queue: "orders" } });
    await t.client.operations.run(id);
    return id;
  };
  await t.client.queues.pause("charges");
  await t.enqueue(order, null, { id: "o" });
  await t.clock.advance("5s");
  await t.assertDead("o");
  const discard = await run("dead-discard");
  return {
    t,
    /** The letter is there again, and is retried. */
    goOn: async () => {
      const undo = await t.client.operations.undo(discard);
      expect(await t.client.operations.run(undo.id)).toMatchObject({ done: 1 });
      isUp = true;
      await run("dead-retry");
      await t.clock.advance("1h");
      return t.job("o");
    },
  };
}

test("a called job that has ended while its caller's letter was discarded is heard of after the undo", async () => {
  let charged = 0;
  const { t, goOn } = await scene(() => `charged ${(charged += 1)}`);
  await using _ = t;
  await t.client.queues.resume("charges");
  await t.clock.advance("5s");
  expect(await goOn()).toMatchObject({ state: "succeeded", result: "charged 1" });
  expect(charged).toBe(1);
});

test("one that has failed meanwhile is called anew, as after any failure of an earlier life", async () => {
  let charged = 0;
  const { t, goOn } = await scene(() => {
    if ((charged += 1) === 1) throw new Error("no money");
    return `charged ${charged}`;
  });
  await using _ = t;
  await t.client.queues.resume("charges");
  await t.clock.advance("5s");
  expect(await goOn()).toMatchObject({ state: "succeeded", result: "charged 2" });
});

test("one that waits yet is waited for", async () => {
  let charged = 0;
  const { t, goOn } = await scene(() => `charged ${(charged += 1)}`);
  await using _ = t;
  expect(await goOn()).toMatchObject({ state: "delayed" });
  await t.client.queues.resume("charges");
  await t.clock.advance("5s");
  expect(await t.job("o")).toMatchObject({ state: "succeeded", result: "charged 1" });
});
