import { createTestRuntime } from "millrace/testing";
import { expect, test } from "vitest";
import { charge, charging, telling } from "./orders.ts";

test("a customer is told of each end, once", async () => {
  const sent: string[] = [];
  const tell = telling((order, text) => void sent.push(`${order} ${text}`));
  await using t = await createTestRuntime({ jobs: [charging, tell] });
  await t.enqueue(charge, { order: "o1", cents: 4_200 });
  await t.enqueue(charge, { order: "o2", cents: 999_900 });
  const later = await t.enqueue(charge, { order: "o3", cents: 1 }, { delay: "1h" });
  await later.cancel("the customer changed their mind");
  await t.drain();
  expect(sent.toSorted()).toEqual([
    "o1 is paid",
    "o2 could not be paid: the card was declined",
    "o3 was cancelled: the customer changed their mind",
  ]);
});
