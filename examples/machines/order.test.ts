import { createTestRuntime } from "millrace/testing";
import { expect, test } from "vitest";
import { order, orderJobs } from "./order.ts";

/** A shop that keeps what was asked of it. */
async function shopAt(shipping: "open" | "closed" = "open") {
  const done: string[] = [];
  const shop = {
    charge: async (cents: number) => {
      done.push(`charge ${cents}`);
      return { payment: "p-1" };
    },
    askManager: async (id: string) => void done.push(`ask about ${id}`),
    ship: async (id: string) => {
      if (shipping === "closed") throw new Error("no parcels today");
      done.push(`ship ${id}`);
    },
    refund: async (payment: string) => void done.push(`refund ${payment}`),
  };
  const t = await createTestRuntime({ jobs: orderJobs(shop), machines: [order] });
  const o = t.machine(order, "o-17");
  await o.start({ order: "o-17", cents: 1_200 });
  await t.drain();
  expect((await o.snapshot()).matches("approval")).toBe(true);
  return { t, o, done };
}

test("approved, it is shipped", async () => {
  const { t, o, done } = await shopAt();
  await using _stopped = t;
  await o.send({ type: "APPROVE", by: "ada" });
  await t.drain();
  expect(await o.snapshot()).toMatchObject({ value: "shipped", context: { answeredBy: "ada" } });
  expect(done).toEqual(["charge 1200", "ask about o-17", "ship o-17"]);
});

test("without an answer for a week the payment is given back", async () => {
  const { t, o, done } = await shopAt();
  await using _stopped = t;
  await t.clock.advance("7d");
  await t.drain();
  expect(await o.snapshot()).toMatchObject({ value: "refunded", status: "done" });
  expect(done).toEqual(["charge 1200", "ask about o-17", "refund p-1"]);
});

test("what can't be shipped, after its retries, is given back too", async () => {
  const { t, o, done } = await shopAt("closed");
  await using _stopped = t;
  await o.send({ type: "APPROVE", by: "ada" });
  await t.drain();
  expect(await o.snapshot()).toMatchObject({ value: "refunded" });
  expect(done.at(-1)).toBe("refund p-1");
});
