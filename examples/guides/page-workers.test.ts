// The workers of pages whose jobs take what they need from outside: each does what its page says.
import { createTestRuntime } from "millrace/testing";
import { expect, test } from "vitest";
import { jobs as sending } from "../testing/worker.ts";
import { reminder } from "../testing/reminder.ts";
import { jobs as trying } from "../steps/worker.ts";
import { trial } from "../steps/trial.ts";
import { charge } from "./charge.ts";
import { jobs as charging } from "./charge-worker.ts";

test("the page on steps: an account whose free weeks are a minute", async () => {
  await using t = await createTestRuntime({ jobs: [trying] });
  const handle = await t.enqueue(trial, { email: "ada@example.com" });
  await t.drain();
  expect(await t.assertSucceeded(handle)).toMatchObject({
    result: { receipt: "receipt-of-account-of-ada@example.com" },
  });
});

test("the page on retries: nobody answers, so the job waits for its next attempt", async () => {
  await using t = await createTestRuntime({ jobs: [charging] });
  const handle = await t.enqueue(charge, { order: "7", cents: 1_200 });
  await expect.poll(async () => (await handle.status()).state, { timeout: 20_000 }).toBe("delayed");
  expect(await handle.status()).toMatchObject({
    error: { message: expect.stringContaining("fetch failed") as string },
  });
});

test("the page on testing: a reminder is said", async () => {
  await using t = await createTestRuntime({ jobs: [sending] });
  const handle = await t.enqueue(reminder, { to: "ada@example.com" });
  await t.drain();
  await t.assertSucceeded(handle);
});
