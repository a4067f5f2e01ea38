import { createTestRuntime } from "../../testing/index.ts";
import { defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { readSamples, storedSamples } from "./sample.ts";

const work = defineJob<number>({ name: "work", queue: "work" });

test("a fleet is sampled once a minute, whoever does it, and only where something moved", async () => {
  await using t = await createTestRuntime({ jobs: [work.handler(() => 1)] });
  const since = t.clock.now();
  const serving = [await t.client.samples.serve(), await t.client.samples.serve()];
  await t.enqueue(work, 1, { delay: "150s" });
  await t.enqueue(work, 1, { delay: "8h" });
  await t.clock.advance("1h");
  for (const one of serving) await one.stop();
  const samples = await t.client.samples.list({ since });
  const moved = samples.map(({ queues }) => queues["work"]?.delayed);
  expect(moved.slice(0, 2)).toEqual([2, 1]);
  // Nothing moved any more: one in ten minutes is left, and one a minute at most before.
  expect(samples.length).toBeLessThanOrEqual(9);
  expect(samples.length).toBeGreaterThanOrEqual(6);
  for (const [place, { at }] of samples.entries())
    if (place > 0) expect(at - (samples[place - 1]?.at ?? 0)).toBeGreaterThanOrEqual(45_000);
  expect(samples.at(-1)).toMatchObject({ slots: 10, used: 0 });
});

test("samples are at most a hundredth of what a fleet does, with ten jobs a second", async () => {
  await using t = await createTestRuntime({ jobs: [work.handler(() => 1)] });
  const bucket = await t.client.broker.documents("samples");
  const before = t.clock.now();
  const serving = await t.client.samples.serve();
  let jobs = 0;
  for (let second = 0; second < 180; second += 1) {
    for (let n = 0; n < 10; n += 1, jobs += 1) await t.enqueue(work, n);
    await t.clock.advance("1s");
  }
  await serving.stop();
  const samples = await t.client.samples.list({ since: before });
  const [document] = await bucket.list();
  expect(samples.length).toBeGreaterThanOrEqual(1);
  // A job is a message and a record at least; a sample is one write.
  const { length: writes } = samples;
  expect(writes).toBeLessThanOrEqual((2 * jobs) / 100);
  const bytes = JSON.stringify(document?.value).length;
  expect(bytes).toBeLessThan((2 * jobs * 100) / 100);
});

test("samples are kept for seven days", async () => {
  await using t = await createTestRuntime({ jobs: [work.handler(() => 1)] });
  const { samples } = t.client;
  for (let day = 0; day < 10; day += 1) {
    await samples.take();
    await t.clock.advance("1d");
  }
  await samples.take();
  const kept = await samples.list({ since: 0 });
  expect(kept).toHaveLength(8);
  expect(kept[0]?.at).toBeGreaterThanOrEqual(t.clock.now() - 7 * 86_400_000 - 600_000);
});

test("what is stored is read back, and what is none is left out", () => {
  const queue = { queued: 1, running: 2, delayed: 3, blocked: 4, dead: 5, oldestAgeMs: 6 };
  const sample = { at: 7, queues: { a: queue }, slots: 8, used: 9 };
  expect(readSamples(JSON.parse(JSON.stringify(storedSamples([sample]))))).toEqual([sample]);
  for (const odd of [null, 1, {}, { v: 2, samples: [] }, { v: 1, samples: [null, { at: "x" }] }])
    expect(readSamples(odd)).toEqual([]);
});
