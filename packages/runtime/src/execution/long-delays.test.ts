import { defineJob, retryAfter, snooze } from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../fixtures/simulated-node.ts";

const DAY_MS = 86_400_000;
/** The broker's limit is 366 days. */
const LONG_MS = 400 * DAY_MS;

const fields = { queue: QUEUE, retry: { attempts: 2, base: "1m", jitter: false } } as const;
const snoozing = defineJob({ name: "snoozing", ...fields }).handler(() => snooze(LONG_MS));
const waiting = defineJob({ name: "waiting", ...fields }).handler(() => {
  throw retryAfter(LONG_MS, new Error("the bank is closed"));
});
const backing = defineJob({
  name: "backing",
  queue: QUEUE,
  retry: { attempts: 2, backoff: () => LONG_MS, max: LONG_MS, jitter: false },
}).handler(() => {
  throw new Error("no");
});

test.each([
  ["snoozing", /^snooze: .*400d.*366d.*maxDelay/],
  ["waiting", /^retryAfter: .*400d.*366d.*maxDelay.*the bank is closed/],
] as const)("%s for longer than a job may be put off is a failed attempt", async (name, says) => {
  const { enqueue, clock, history, broker } = await simulatedNode({
    jobs: [snoozing, waiting, backing],
  });
  await enqueue(name);
  expect(await broker.delayed.list()).toMatchObject([{ notBefore: clock.now() + 60_000 }]);
  await clock.advance("2h");
  const [first, last] = await history();
  for (const record of [first, last])
    expect(record).toMatchObject({
      outcome: "failed",
      error: { type: "invalid-duration", message: expect.stringMatching(says) as string },
    });
  expect(last).toMatchObject({ state: "dead", attempts: 2 });
});

test("a retry policy puts a job off for no longer than that", async () => {
  const { enqueue, clock, broker } = await simulatedNode({ jobs: [snoozing, waiting, backing] });
  await enqueue("backing");
  expect(await broker.delayed.list()).toMatchObject([{ notBefore: clock.now() + 366 * DAY_MS }]);
});
