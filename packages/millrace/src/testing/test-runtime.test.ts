import { defineJob, fatal, MillraceError, snooze } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "./test-runtime.ts";

test("a delayed job runs when its time has come, and its result is there", async () => {
  const definition = defineJob({ name: "double" });
  await using t = await createTestRuntime({
    jobs: [definition.handler(({ input }) => Number(input) * 2)],
  });
  const handle = await t.enqueue(definition, 21, { delay: "5m" });
  await t.clock.advance("4m");
  await t.assertState(handle, "delayed");
  await t.clock.advance("1m");
  await t.drain();
  expect((await t.assertSucceeded(handle)).result).toBe(42);
  expect(await handle.result()).toBe(42);
});

test("drain passes retries and snoozes without waiting, and counts what they cost", async () => {
  const definition = defineJob<{ until: number }>({
    name: "flaky",
    retry: { attempts: 5, backoff: "fixed", base: "1h", max: "2h", jitter: false },
  });
  let snoozed = false;
  await using t = await createTestRuntime({
    jobs: [
      definition.handler(({ input, attempt }) => {
        if (attempt === 2 && !snoozed) {
          snoozed = true;
          return snooze("1d");
        }
        if (attempt < input.until) throw new Error("not yet");
        return attempt;
      }),
    ],
  });
  const started = t.clock.now();
  const handle = await t.enqueue(definition, { until: 3 });
  await t.drain();
  expect(await t.assertSucceeded(handle)).toMatchObject({ attempts: 3, result: 3 });
  expect(t.clock.now() - started).toBeGreaterThanOrEqual(26 * 3_600_000);
});

test("a dead job: result() rejects with the recorded error, and retrying gives it a new life", async () => {
  let fail = true;
  const definition = defineJob({ name: "fails", retry: "none" });
  await using t = await createTestRuntime({
    jobs: [
      definition.handler(() => {
        if (fail) throw new TypeError("broken");
        return "mended";
      }),
    ],
  });
  const handle = await t.enqueue(definition, null, { id: "f1" });
  await t.drain();
  await t.assertDead(handle);
  const error: unknown = await handle.result().catch((caught: unknown) => caught);
  expect(error).toMatchObject({
    code: "handler-failed",
    cause: { name: "TypeError", message: "broken" },
  });
  expect(MillraceError.is(error)).toBe(true);
  expect(await t.deadLetters()).toMatchObject([
    { id: "f1", reason: "attempts-exhausted", attempts: 1 },
  ]);

  fail = false;
  expect(await t.client.dead.retry({ id: "f1" })).toEqual([
    { ok: true, id: "f1", queue: "default" },
  ]);
  expect(await t.deadLetters()).toEqual([]);
  await t.drain();
  expect(await t.assertSucceeded(handle)).toMatchObject({ attempts: 1, result: "mended" });
});

test("a retry whose publish fails leaves the letter", async () => {
  const definition = defineJob({ name: "fails" });
  await using t = await createTestRuntime({ jobs: [definition.handler(() => fatal("never"))] });
  const handle = await t.enqueue(definition, null);
  await t.drain();
  expect((await t.assertDead(handle)).history.at(-1)?.reason).toBe("fatal");
  t.broker.disconnect();
  await expect(t.client.dead.retry({})).rejects.toThrow();
  t.broker.reconnect();
  expect(await t.deadLetters()).toHaveLength(1);
});

test("result() waits for a job that has not ended, survives a reconnect, and gives up when told to", async () => {
  const definition = defineJob({ name: "later" });
  await using t = await createTestRuntime({ jobs: [definition.handler(() => "done")] });
  const handle = await t.enqueue(definition, null, { delay: "1h" });
  const late = handle.result({ timeout: "30m" }).catch((error: unknown) => error);
  await t.clock.advance("30m");
  expect(await late).toMatchObject({ code: "result-timeout" });

  const result = handle.result();
  await t.clock.advance("1m");
  t.broker.disconnect();
  await t.clock.advance("1m");
  t.broker.reconnect();
  await t.clock.advance("1h");
  expect(await result).toBe("done");
});

test("an assertion says what is the case instead", async () => {
  const definition = defineJob({ name: "fails", retry: "none" });
  await using t = await createTestRuntime({
    jobs: [definition.handler(() => Promise.reject(new Error("broken")))],
  });
  const handle = await t.enqueue(definition, null);
  await t.drain();
  await expect(t.assertSucceeded(handle)).rejects.toThrow(
    /is dead after 1 attempts, not succeeded.*broken/,
  );
});

test("drain says when a handler waits for what the clock does not move", async () => {
  const definition = defineJob({ name: "stuck" });
  await using t = await createTestRuntime({
    jobs: [
      definition.handler(
        ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve)),
      ),
    ],
  });
  await t.enqueue(definition, null, { timeout: "1d", maxAttempts: 1 });
  await expect(t.drain({ maxTime: "1h" })).rejects.toThrow(/1 jobs are left/);
});
