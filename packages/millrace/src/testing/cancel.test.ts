import { defineJob, fatal } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { createTestRuntime } from "./test-runtime.ts";

const definition = defineJob<string>({ name: "work", queue: "work", retry: "none" });

/** Hangs until it is aborted, or does what it is told. */
async function runtime(slots = 10) {
  const reasons: unknown[] = [];
  const job = definition.handler(({ input, signal }) => {
    if (input !== "hang") return input === "die" ? fatal("told to") : input;
    return new Promise((_resolve, reject) =>
      signal.addEventListener("abort", () => {
        reasons.push((signal.reason as Error).message);
        reject(signal.reason as Error);
      }),
    );
  });
  return { t: await createTestRuntime({ jobs: [job], slots }), reasons };
}

describe("cancel in simulated time", () => {
  test("a running job: the signal has the reason, and so has whoever waits for the result", async () => {
    const { t, reasons } = await runtime();
    await using _t = t;
    const handle = await t.enqueue(definition, "hang");
    await t.clock.advance(0);
    const result = handle.result().catch((error: unknown) => error);
    expect(await handle.cancel("user left")).toMatchObject({ id: handle.id, state: "cancelling" });
    await t.clock.advance(0);
    expect(reasons).toEqual(["user left"]);
    await t.assertState(handle, "cancelled");
    expect(await result).toMatchObject({ code: "cancelled" });
    expect(await handle.cancel("again")).toMatchObject({ state: "cancelled" });
  });

  test("a delayed job is settled now, without being run, and not when it is due", async () => {
    const { t } = await runtime();
    await using _t = t;
    const handle = await t.enqueue(definition, "never", { delay: "5d" });
    await t.clock.advance("1h");
    await t.assertState(handle, "delayed");
    const cancelling = handle.cancel("not needed", { wait: true });
    await t.clock.advance("1s");
    expect(await cancelling).toMatchObject({ state: "cancelled" });
    expect((await handle.status()).history.at(-1)).toMatchObject({ reason: "not needed" });
  });

  test("a waiting job is settled when a node reaches it", async () => {
    const { t } = await runtime(1);
    await using _t = t;
    const busy = await t.enqueue(definition, "hang");
    const waits = await t.enqueue(definition, "never");
    await t.clock.advance(0);
    expect(await t.client.cancel(waits.id)).toMatchObject({ queue: "work", state: "cancelling" });
    await t.assertState(waits, "queued");
    await busy.cancel();
    await t.clock.advance(0);
    await t.assertState(waits, "cancelled");
  });

  test("a job that has ended is left as it is, and one that nobody knows is an error", async () => {
    const { t } = await runtime();
    await using _t = t;
    const [done, dead] = [await t.enqueue(definition, "x"), await t.enqueue(definition, "die")];
    await t.drain();
    for (const [handle, state] of [
      [done, "succeeded"],
      [dead, "dead"],
    ] as const) {
      expect(await handle.cancel()).toMatchObject({ state });
      expect(await t.client.cancel(handle.id, { queue: "work" })).toMatchObject({ state });
    }
    const nobody = t.client.handle("nobody", "work").cancel();
    await expect(nobody).rejects.toMatchObject({ code: "job-not-found" });
    await expect(t.client.cancel("nobody")).rejects.toMatchObject({ code: "job-not-found" });
    await expect(t.client.cancel("no spaces")).rejects.toMatchObject({ code: "invalid-name" });
    expect(await (await t.broker.documents("cancellations")).list()).toEqual([]);
  });

  test("a dead job that was cancelled too late and is retried runs in its new life", async () => {
    const { t } = await runtime();
    await using _t = t;
    const dead = await t.enqueue(definition, "die", { id: "d" });
    const { createdAt = 0 } = (await t.broker.findWaiting("d"))?.envelope ?? {};
    await t.drain();
    const documents = await t.broker.documents("cancellations");
    await documents.put("work.d", { reason: "too late", createdAt });
    await t.client.dead.retry({});
    await t.drain();
    await t.assertDead(dead);
    expect((await dead.status()).history.map(({ state }) => state)).toEqual(["dead", "dead"]);
  });

  test("waiting no longer than told", async () => {
    const deaf = defineJob({ name: "deaf", grace: "10s" });
    await using t = await createTestRuntime({ jobs: [deaf.handler(() => new Promise(() => {}))] });
    const handle = await t.enqueue(deaf, null);
    await t.clock.advance(0);
    const short = handle.cancel("stop", { wait: "5s" });
    const long = t.client.cancel(handle.id, { reason: "stop", wait: true });
    await t.clock.advance("5s");
    expect(await short).toMatchObject({ state: "cancelling" });
    await t.clock.advance("5s");
    expect(await long).toMatchObject({ state: "cancelled" });
  });
});

test("right after a dead job was retried, result() waits for its new life", async () => {
  let fail = true;
  const mends = defineJob({ name: "mends", retry: "none" });
  await using t = await createTestRuntime({
    jobs: [
      mends.handler(() => {
        if (fail) throw new TypeError("broken");
        return "mended";
      }),
    ],
  });
  const handle = await t.enqueue(mends, null, { id: "m" });
  await t.drain();
  await expect(handle.result()).rejects.toMatchObject({ code: "handler-failed" });
  fail = false;
  await t.client.dead.retry({ id: "m" });
  const results = [handle.result(), t.client.handle("m", "default").result()];
  await t.drain();
  expect(await Promise.all(results)).toEqual(["mended", "mended"]);
});

test("a job that uses an id again does not end as the one before did", async () => {
  const twice = defineJob<string>({ name: "twice", retry: "none" });
  await using t = await createTestRuntime({
    jobs: [twice.handler(({ input }) => input)],
    slots: 1,
  });
  await t.enqueue(twice, "first", { id: "same" });
  await t.drain();
  await t.clock.advance("1h");
  const second = await t.enqueue(twice, "second", { id: "same", once: false, delay: "1m" });
  expect(second.duplicate).toBe(false);
  const result = second.result();
  await t.drain();
  expect(await result).toBe("second");
});
