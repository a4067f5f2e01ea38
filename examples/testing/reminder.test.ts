import { createTestRuntime } from "millrace/testing";
import { expect, test } from "vitest";
import { reminder, reminderWith } from "./reminder.ts";

test("a reminder waits five minutes, and two failures later it is sent", async () => {
  const sentAt: number[] = [];
  let failures = 2;
  const job = reminderWith({
    send: () => {
      if (failures-- > 0) return Promise.reject(new Error("the mail server is busy"));
      sentAt.push(t.clock.now());
      return Promise.resolve("sent");
    },
  });
  await using t = await createTestRuntime({ jobs: [job] });
  const enqueuedAt = t.clock.now();
  const handle = await t.enqueue(reminder, { to: "ada@example.com" }, { delay: "5m" });

  await t.clock.advance("4m");
  await t.assertState(handle, "delayed");

  await t.drain(); // moves the clock: 1 more minute, then 1 and 2 between the attempts
  const status = await t.assertSucceeded(handle);
  expect(status).toMatchObject({ attempts: 3, result: { sentTo: "ada@example.com" } });
  expect(sentAt).toEqual([enqueuedAt + 8 * 60_000]);
});

test("an address that does not exist is not tried again", async () => {
  const job = reminderWith({ send: () => Promise.resolve("no such address") });
  await using t = await createTestRuntime({ jobs: [job] });
  const handle = await t.enqueue(reminder, { to: "nobody" });
  await t.drain();
  await t.assertDead(handle);
  expect(await t.deadLetters()).toMatchObject([
    { name: "mail.reminder", reason: "fatal", attempts: 1 },
  ]);
});
