import { defineJob, fatal } from "@millrace/core";
import { expect, test } from "vitest";
import type { JobHandle } from "../client/jobs/job-handle.ts";
import { createTestRuntime, type TestRuntime } from "./test-runtime.ts";

const definition = defineJob<string>({ name: "work", queue: "work", retry: "none" });

/** One slot, which a job holds until it is cancelled. */
async function scene() {
  const ran: string[] = [];
  const job = definition.handler(({ input, signal }) => {
    ran.push(input);
    if (input === "dies") return fatal("told to");
    if (input !== "hangs") return input;
    return new Promise((_resolve, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason as Error)),
    );
  });
  const t = await createTestRuntime({ jobs: [job], slots: 1 });
  const enqueue = (input: string): Promise<JobHandle> =>
    t.enqueue(definition, input, { id: "x", once: false });
  return { t, ran, enqueue };
}

/** The queue has forgotten by then that it has had the id. */
async function later(t: TestRuntime): Promise<JobHandle> {
  await t.clock.advance("5m");
  const busy = await t.enqueue(definition, "hangs", { id: "busy" });
  await t.clock.advance(0);
  return busy;
}

async function createdAt(t: TestRuntime): Promise<number> {
  return (await t.broker.findWaiting("x"))?.envelope.createdAt ?? 0;
}

const CANCELS: Readonly<Record<string, (t: TestRuntime, handle: JobHandle) => Promise<unknown>>> = {
  "by its handle": (_, handle) => handle.cancel("withdrawn"),
  "by its id": (t) => t.client.cancel("x", { queue: "work", reason: "withdrawn" }),
  "by another program": async (t) =>
    (await t.broker.documents("cancellations")).put("work.x", {
      ...{ reason: "withdrawn", createdAt: await createdAt(t) },
    }),
  "by another program that does not say which": async (t) =>
    (await t.broker.documents("cancellations")).put("work.x", { reason: "withdrawn" }),
};

const RETRIES: Readonly<Record<string, (t: TestRuntime) => Promise<unknown>>> = {
  retried: (t) => t.client.dead.retry({ id: "x" }),
  edited: (t) => t.client.dead.edit("x", "mended"),
};

test.each(
  Object.entries(CANCELS).flatMap(([by, cancel]) =>
    Object.entries(RETRIES).map(([how, retry]) => ({ by, cancel, how, retry })),
  ),
)(
  "a job that was cancelled $by does not run because the letter of an earlier one of its id is $how",
  async ({ cancel, retry }) => {
    const { t, ran, enqueue } = await scene();
    await using _t = t;
    await enqueue("dies");
    await t.drain();
    const busy = await later(t);
    const second = await enqueue("second");
    expect(second.duplicate).toBe(false);
    await cancel(t, second);
    await retry(t);
    await busy.cancel();
    await t.drain();
    expect(ran).not.toContain("second");
    // The retried one ran: the cancellation did not mean it.
    expect(ran.filter((input) => input !== "hangs")).toHaveLength(2);
    expect(await (await t.broker.documents("cancellations")).list()).toEqual([]);
  },
);

test("a late cancel of a job that has ended leaves that of a later job of its id in force", async () => {
  const { t, ran, enqueue } = await scene();
  await using _t = t;
  const first = await enqueue("first");
  await t.drain();
  const busy = await later(t);
  const second = await enqueue("second");
  expect(await second.cancel("withdrawn")).toMatchObject({ state: "cancelling" });
  expect(await first.cancel("too late")).toMatchObject({ state: "succeeded" });
  await busy.cancel();
  await t.drain();
  expect(ran).toEqual(["first", "hangs"]);
  expect((await second.status()).history.at(-1)).toMatchObject({
    ...{ state: "cancelled", reason: "withdrawn" },
  });
});

test("two jobs of one id that wait are both cancelled, whichever was cancelled last", async () => {
  const { t, ran, enqueue } = await scene();
  await using _t = t;
  const busy = await later(t);
  const first = await enqueue("first");
  await t.clock.advance("5m");
  const second = await enqueue("second");
  expect(second.duplicate).toBe(false);
  await second.cancel("the second");
  await first.cancel("the first");
  await busy.cancel();
  await t.drain();
  expect(ran).toEqual(["hangs"]);
  const records = await t.broker.history.read({ id: "x", queue: "work" });
  expect(records.map(({ state, reason }) => `${state}: ${reason}`)).toEqual([
    "cancelled: the first",
    "cancelled: the second",
  ]);
  expect(await (await t.broker.documents("cancellations")).list()).toEqual([]);
});
