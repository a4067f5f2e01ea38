import { type BatchEnded, defineJob, planJob } from "@millrace/core";
import { expect, test, vi } from "vitest";
import { createTestRuntime } from "../../testing/test-runtime.ts";
import { batchOfJob } from "./batches.ts";

const page = defineJob<null>({ name: "page" });
const report = defineJob<BatchEnded<null>>({ name: "report", queue: "reports" });

async function overBatch() {
  const gate = Promise.withResolvers<void>();
  const t = await createTestRuntime({
    jobs: [page.handler(() => undefined), report.handler(() => gate.promise)],
  });
  await t.client.batch([planJob(page, null, { id: "p" })], {
    id: "b",
    callback: { job: report, input: null },
  });
  const isOver = async (): Promise<void> => {
    await t.clock.advance("1s");
    expect(await t.broker.batches.find("b")).toBeUndefined();
  };
  await vi.waitFor(isOver, { timeout: 20_000 });
  return { t, gate };
}

const OVER = { id: "b", total: 1, left: 0, succeeded: 1, callback: { queue: "reports" } };

test("a batch that is over is looked for in the queue that is given, and in no other", async () => {
  const { t, gate } = await overBatch();
  await using _ = t;
  const look = vi.spyOn(t.broker, "findWaiting");
  expect(await t.client.batches.get("b")).toBeUndefined();
  expect(look).not.toHaveBeenCalled();
  expect(await t.client.batches.get("b", { queue: "reports" })).toMatchObject(OVER);
  expect(look.mock.calls).toEqual([["b:callback", { queue: "reports" }]]);
  const callback = await t.client.job("b:callback", { queue: "reports" });
  look.mockClear();
  expect(await batchOfJob(t.client.batches, callback)).toMatchObject(OVER);
  expect(look).not.toHaveBeenCalled();
  gate.resolve();
  await t.drain();
  expect(await t.client.batches.get("b")).toMatchObject(OVER);
  expect(look).not.toHaveBeenCalled();
});

test("a batch whose callback is about to be enqueued is told as it was decided", async () => {
  const { t, gate } = await overBatch();
  await using _ = t;
  gate.resolve();
  const callback = (await t.broker.findWaiting("b:callback", { queue: "reports" }))?.envelope;
  if (callback?.closes === undefined) throw new TypeError("The callback does not close a batch.");
  const over = { ...callback.closes, failed: [] };
  await t.broker.batches.open({ id: "b", createdAt: t.clock.now(), callback, over });
  expect(await t.client.batches.get("b")).toMatchObject(OVER);
});

test("a batch that is removed between the looks is told from its callback's end", async () => {
  const { t, gate } = await overBatch();
  await using _ = t;
  const callback = (await t.broker.findWaiting("b:callback", { queue: "reports" }))?.envelope;
  if (callback === undefined) throw new TypeError("There is no callback.");
  gate.resolve();
  await t.drain();
  await t.broker.batches.open({ id: "b", createdAt: t.clock.now(), callback });
  expect(await t.client.batches.get("b")).toMatchObject(OVER);
});

test("a name that is too long for a batch with a callback is nobody's, and one of other signs is refused", async () => {
  await using t = await createTestRuntime({ jobs: [page.handler(() => undefined)] });
  for (const length of [119, 120, 128])
    expect(await t.client.batches.get("x".repeat(length), { queue: "default" })).toBeUndefined();
  for (const id of ["*", "a.b", "x".repeat(129)])
    await expect(t.client.batches.get(id)).rejects.toMatchObject({ code: "invalid-name" });
});

test("an open batch of more than 100,000 jobs is not counted, and no more of it is read than that", async () => {
  const gate = Promise.withResolvers<void>();
  await using t = await createTestRuntime({
    jobs: [page.handler(() => gate.promise), report.handler(() => undefined)],
  });
  await t.client.batch([planJob(page, null, { id: "p" })], {
    id: "b",
    callback: { job: report, input: null },
  });
  const { batches } = t.broker;
  const asked = vi.spyOn(batches, "ended");
  expect(await t.client.batches.get("b")).toMatchObject({ total: 1, left: 1 });
  expect(asked).toHaveBeenLastCalledWith("b", { most: 100_000 });
  // So many ended, and one has not: as many as a batch may have.
  const members = (length: number) =>
    Array.from({ length }, (_, n) => ({ id: `e${n}`, end: "succeeded" as const }));
  asked.mockResolvedValueOnce(members(99_999));
  expect(await t.client.batches.get("b")).toMatchObject({ total: 100_000, succeeded: 99_999 });
  // The last one ended between the two looks.
  asked.mockResolvedValueOnce(members(100_000));
  expect(await t.client.batches.get("b")).toMatchObject({ left: 1, succeeded: 100_000 });
  asked.mockResolvedValueOnce(members(100_001));
  await expect(t.client.batches.get("b")).rejects.toMatchObject({
    code: "invalid-option",
    message: expect.stringMatching(/^The batch b has more than 100,000 jobs/) as string,
  });
  vi.spyOn(batches, "left").mockResolvedValueOnce(100_001);
  asked.mockClear();
  await expect(t.client.batches.get("b")).rejects.toMatchObject({ code: "invalid-option" });
  expect(asked).not.toHaveBeenCalled();
  gate.resolve();
});
