import { defineJob, fatal, type HistoryRecord } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "../../testing/test-runtime.ts";

const good = defineJob({ name: "good", queue: "a" });
const bad = defineJob({ name: "bad", queue: "b" });

function runtime() {
  return createTestRuntime({
    jobs: [good.handler(() => 1), bad.handler(() => fatal(new TypeError("broken")))],
  });
}

test("jobs are listed by where they are and by how they ended, and counted", async () => {
  await using t = await runtime();
  const { jobs } = t.client;
  await t.enqueue(good, 1, { id: "g1" });
  await t.enqueue(bad, 1, { id: "b1" });
  await t.clock.advance("1s");
  await t.enqueue(good, 1, { id: "later", delay: "1h" });
  await t.clock.advance("1s");
  const ids = (list: readonly { readonly id: string }[]): readonly string[] =>
    list.map(({ id }) => id);
  expect(ids(await jobs.list({ state: "delayed" }))).toEqual(["later"]);
  expect(ids(await jobs.list({ state: "delayed", queue: "b" }))).toEqual([]);
  expect(ids(await jobs.list({ state: "succeeded" }))).toEqual(["g1"]);
  expect(ids(await jobs.list({ state: "dead", queue: "b" }))).toEqual(["b1"]);
  expect(ids(await jobs.list({ where: "error=TypeError attempts=1" }))).toEqual(["b1"]);
  expect(ids(await jobs.list({ state: "succeeded", where: "id=b*" }))).toEqual([]);
  expect(ids(await jobs.list({ state: "delayed", where: "name=good" }))).toEqual(["later"]);
  await expect(jobs.list({ where: "(" })).rejects.toMatchObject({ code: "invalid-filter" });
  expect(ids(await jobs.list({ limit: 1 }))).toHaveLength(1);
  expect(await jobs.get("g1")).toMatchObject({ state: "succeeded", result: 1 });
  expect(await jobs.count({ state: "delayed" })).toBe(1);
  expect(await jobs.count({ state: "dead" })).toBe(1);
  expect(await jobs.count({ state: "dead", queue: "a" })).toBe(0);
});

test("what can't be asked is refused", async () => {
  await using t = await runtime();
  const { jobs } = t.client;
  for (const wrong of [{ limit: 0 }, { limit: 1e6 }, { state: "succeded" as "succeeded" }])
    await expect(jobs.list(wrong)).rejects.toMatchObject({ code: "invalid-option" });
  await expect(jobs.count({ state: "succeeded" as "queued" })).rejects.toMatchObject({
    code: "invalid-option",
  });
  expect(() => jobs.watch({ state: "failed" as "dead" })).toThrow(
    expect.objectContaining({ code: "invalid-option" }),
  );
  await expect(jobs.list({ queue: "no.such" })).rejects.toMatchObject({ code: "invalid-name" });
});

test("watching tells of each end that is asked for, in order, and ends as it is told", async () => {
  await using t = await runtime();
  const stop = new AbortController();
  const seen: HistoryRecord[] = [];
  const watching = (async () => {
    for await (const record of t.client.jobs.watch({ state: "dead", signal: stop.signal }))
      seen.push(record);
    return "ended";
  })();
  await t.clock.advance(0);
  await t.enqueue(good, 1, { id: "g1" });
  for (const id of ["b1", "b2"]) await t.enqueue(bad, 1, { id });
  await t.clock.advance("1s");
  expect(seen.map(({ id, error }) => `${id} ${error?.message}`)).toEqual([
    "b1 broken",
    "b2 broken",
  ]);
  stop.abort();
  expect(await watching).toBe("ended");
  await t.enqueue(bad, 1, { id: "b3" });
  await t.clock.advance("1s");
  expect(seen).toHaveLength(2);
});

test("return() ends a watch that waits, and a closed client ends it too", async () => {
  const t = await runtime();
  const one = t.client.jobs.watch()[Symbol.asyncIterator]();
  const waits = one.next();
  await t.clock.advance(0);
  await one.return?.();
  expect(await waits).toMatchObject({ done: true });
  const other = t.client.jobs.watch()[Symbol.asyncIterator]().next();
  await t.clock.advance(0);
  await t.stop();
  expect(await other).toMatchObject({ done: true });
});

test("a reader that is too slow is told so, after what it had room for", async () => {
  await using t = await runtime();
  const reading = t.client.jobs.watch({ queue: "a" })[Symbol.asyncIterator]();
  const first = reading.next();
  await t.clock.advance(0);
  const items = Array.from({ length: 10_100 }, (_, n) => ({ id: `g${n}`, input: n }));
  await t.client.enqueueMany(good, items);
  await t.drain();
  expect((await first).value).toMatchObject({ id: "g0" });
  let read = 1;
  const error: unknown = await (async () => {
    for (; ; read += 1) if ((await reading.next()).done === true) return "ended";
  })().catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: "reader-too-slow" });
  expect(read).toBeGreaterThanOrEqual(10_000);
});
