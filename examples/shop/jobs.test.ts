import { createTestRuntime } from "millrace/testing";
import { expect, test } from "vitest";
import { busyBank } from "./bank.ts";
import { charge, nightly } from "./definitions.ts";
import { shopJobs } from "./jobs.ts";
import type { Books } from "./store.ts";

function scene() {
  const written: string[] = [];
  const write = (...words: readonly string[]): Promise<void> =>
    Promise.resolve(void written.push(words.join(" ")));
  const books: Books = {
    paid: (order, receipt) => write("paid", order, receipt),
    failed: (order, state) => write(state, order),
    invoiced: (order) => write("invoiced", order),
    mailed: (order, text) => write("mailed", order, text),
    reported: (day) => write("reported", day),
  };
  // The invoice's thread runs in real time: its function has a test of its own.
  const jobs = shopJobs({ bank: busyBank(), books, thanksAfter: "2h" }).filter(
    ({ name }) => name !== "shop.invoice",
  );
  return { written, jobs };
}

test("a payment that fails once is made, and the customer is thanked two hours later", async () => {
  const { written, jobs } = scene();
  await using t = await createTestRuntime({ jobs });
  const payment = await t.enqueue(
    charge,
    { id: "o1", customer: "ada", cents: 4_200 },
    { id: "p1" },
  );
  await t.clock.advance("1m");
  expect(await t.assertSucceeded(payment)).toMatchObject({
    attempts: 2,
    result: { receipt: "r-p1" },
  });
  expect(written).toEqual(["paid o1 r-p1"]);
  await t.clock.advance("2h");
  expect(written.slice(1)).toEqual(["mailed o1 Thank you!"]);
});

test("a payment that is refused is told to the customer, and not tried again", async () => {
  const { written, jobs } = scene();
  await using t = await createTestRuntime({ jobs });
  const payment = await t.enqueue(charge, { id: "o2", customer: "ada", cents: 9_999_999 });
  await t.clock.advance("1m");
  expect(await t.assertDead(payment)).toMatchObject({ attempts: 1 });
  expect(written).toEqual([
    "unpaid o2",
    "mailed o2 Your payment failed: the card's limit is exceeded",
  ]);
});

test("the nightly report runs at two in Berlin", async () => {
  const { written, jobs } = scene();
  await using t = await createTestRuntime({ jobs, schedules: [nightly] });
  await t.clock.advance("59m");
  expect(written).toEqual([]);
  await t.clock.advance("2m"); // It is an hour later there.
  expect(written).toEqual(["reported 2030-01-01"]);
});
