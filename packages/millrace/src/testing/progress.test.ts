import { defineJob, type ProgressReport } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "./test-runtime.ts";

const steps = defineJob<number>({
  name: "steps",
  retry: { attempts: 2, base: "1s", jitter: false },
});

/** Reports each second; the first attempt fails half-way. */
const runtime = () => {
  const job = steps.handler(async ({ input, progress, attempt, signal }) => {
    for (let step = 1; step <= input; step += 1) {
      progress(step / input, `step ${step}`);
      if (attempt === 1 && step * 2 > input) throw new Error("half-way");
      await new Promise<void>((resolve) => (next = resolve));
      if (signal.aborted) return;
    }
  });
  return createTestRuntime({ jobs: [job] });
};
let next = (): void => {};

test("progress() begins with the latest, follows over retries, and ends with the job", async () => {
  await using t = await runtime();
  const handle = await t.enqueue(steps, 4);
  await t.clock.advance(0);
  expect((await handle.status()).progress).toMatchObject({ value: 0.25, note: "step 1" });
  const seen: ProgressReport[] = [];
  const read = (async () => {
    for await (const report of handle.progress()) seen.push(report);
  })();
  for (let round = 0; round < 8; round += 1) {
    await t.clock.advance("2s");
    next();
  }
  await t.clock.advance("2s");
  await read;
  expect(seen.map(({ attempt, value }) => [attempt, value])).toEqual([
    [1, 0.25],
    [1, 0.5],
    [1, 0.75],
    [2, 0.25],
    [2, 0.5],
    [2, 0.75],
    [2, 1],
  ]);
  expect((await t.assertSucceeded(handle)).progress).toBeUndefined();
  for await (const report of handle.progress())
    throw new Error(`ended, and reports ${report.value}`);
});

test("a reader that stops early leaves nothing open, and one that is cut off goes on afterwards", async () => {
  await using t = await runtime();
  const handle = await t.enqueue(steps, 4);
  await t.clock.advance(0);
  for await (const { value } of handle.progress()) {
    expect(value).toBe(0.25);
    break;
  }
  const seen: number[] = [];
  const read = (async () => {
    for await (const { value } of handle.progress()) seen.push(value);
  })();
  t.broker.disconnect();
  await t.clock.advance("1s");
  t.broker.reconnect();
  await t.clock.advance("2s");
  next();
  await t.clock.advance(0);
  expect(seen).toEqual([0.25, 0.5]);
  await handle.cancel();
  next();
  await t.clock.advance("1m");
  await read;
});
