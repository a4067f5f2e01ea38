import type { TransactionalDatabase } from "millrace";
import type { Outbox } from "millrace/outbox";
import { createTestRuntime, type TestRuntime } from "millrace/testing";
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
  // No database: what is written is noted, and what is enqueued goes to the runtime of the test.
  let runtime: TestRuntime | undefined;
  const outbox = {
    enqueue: (...job: Parameters<TestRuntime["enqueue"]>) => runtime?.enqueue(...job),
  } as unknown as Outbox;
  const database = {
    once: (_run: unknown, act: (write: Books, own: Outbox) => Promise<unknown>) =>
      act(books, outbox),
  } as TransactionalDatabase<Books, Outbox>;
  const shop = { bank: busyBank(), books: database, thanksAfter: "2h" } as const;
  const jobs = shopJobs(shop).filter(({ name }) => name !== "shop.invoice");
  const start = async (schedules: readonly unknown[] = []): Promise<TestRuntime> =>
    (runtime = await createTestRuntime({ jobs, schedules }));
  return { written, start };
}

test("a payment that fails once is made, and the customer is thanked two hours later", async () => {
  const { written, start } = scene();
  await using t = await start();
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
  const { written, start } = scene();
  await using t = await start();
  const payment = await t.enqueue(charge, { id: "o2", customer: "ada", cents: 9_999_999 });
  await t.clock.advance("1m");
  expect(await t.assertDead(payment)).toMatchObject({ attempts: 1 });
  expect(written).toEqual([
    "unpaid o2",
    "mailed o2 Your payment failed: the card's limit is exceeded",
  ]);
});

test("the nightly report runs at two in Berlin", async () => {
  const { written, start } = scene();
  await using t = await start([nightly]);
  await t.clock.advance("59m");
  expect(written).toEqual([]);
  await t.clock.advance("2m"); // It is an hour later there.
  expect(written).toEqual(["reported 2030-01-01"]);
});
