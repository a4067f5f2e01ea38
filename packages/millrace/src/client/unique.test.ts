import { defineJob, UniqueClaims, UniqueKey } from "@millrace/core";
import { expect, test } from "vitest";
import { createTestRuntime } from "../testing/test-runtime.ts";

const job = defineJob<{ readonly doc: string; readonly fails?: boolean }>({
  name: "index",
  retry: "none",
  unique: { key: ({ doc }) => doc, while: "running" },
});
const handled = job.handler(({ input }) => {
  if (input.fails === true) throw new Error("no");
  return input.doc;
});

test("the handle of a job whose key is held is the holder's, and says so", async () => {
  await using t = await createTestRuntime({ jobs: [handled] });
  const first = await t.enqueue(job, { doc: "a" }, { id: "first", delay: "1m" });
  const second = await t.enqueue(job, { doc: "a" }, { id: "second" });
  expect(second).toMatchObject({
    id: "first",
    duplicate: true,
    conflict: { kind: "kept", key: "a" },
  });
  expect(first).not.toHaveProperty("conflict");
  await t.drain();
  expect(await second.result()).toBe("a");
  const third = await t.enqueue(job, { doc: "a" }, { id: "third" });
  expect(third).toMatchObject({ id: "third", duplicate: false });
});

test("options give a key to a job whose definition has none, and leave the rest to the node", async () => {
  await using t = await createTestRuntime({ jobs: [handled] });
  const plain = defineJob({ name: "index" });
  const options = { delay: "1m", unique: { key: "k" } } as const;
  const one = await t.enqueue(plain, { doc: "x" }, { ...options, id: "one" });
  expect(await t.enqueue(plain, { doc: "y" }, options)).toMatchObject({ id: one.id });
  expect((await t.broker.findWaiting("one"))?.envelope.uniqueKey).toBe("k");
  const over = await t.enqueue(
    plain,
    { doc: "z" },
    { id: "over", unique: { key: "k", while: "pending", onConflict: "replace" } },
  );
  expect(over).toMatchObject({ id: "one", conflict: { kind: "kept" } });
  await t.drain();
  await t.assertSucceeded("one");
});

test("a dead letter that is retried claims its key anew, or stays where it is", async () => {
  await using t = await createTestRuntime({ jobs: [handled] });
  await t.enqueue(job, { doc: "a", fails: true }, { id: "dead" });
  await t.drain();
  await t.assertDead("dead");
  await t.enqueue(job, { doc: "a" }, { id: "other", delay: "1h" });
  expect(await t.client.dead.retry({})).toMatchObject([
    { ok: false, id: "dead", error: { code: "unique-conflict" } },
  ]);
  expect(await t.deadLetters()).toHaveLength(1);
  await t.drain();
  expect(await t.client.dead.retry({})).toEqual([{ ok: true, id: "dead", queue: "default" }]);
  await t.drain();
  // It ran again, under its own key, and died again.
  expect((await t.job("dead")).history.map(({ state }) => state)).toEqual(["dead", "dead"]);
  expect(await t.enqueue(job, { doc: "a" }, { id: "next" })).toMatchObject({ id: "next" });
});

test("a job holds its key though an earlier one of its id, which was retried, has just ended", async () => {
  let fails = true;
  let end = (): void => {};
  const held = job.handler(() => {
    if (fails) throw new Error("no");
    return new Promise<void>((resolve) => (end = resolve));
  });
  await using t = await createTestRuntime({ jobs: [held] });
  await t.enqueue(job, { doc: "a" }, { id: "x" });
  await t.drain();
  await t.clock.advance("5m");
  fails = false;
  await t.client.dead.retry({});
  await t.clock.advance("1s");
  end();
  await t.clock.advance("1s");
  const again = await t.enqueue(job, { doc: "a" }, { id: "x", once: false });
  expect(again).toMatchObject({ id: "x", duplicate: false });
  await t.clock.advance("1s");
  await t.assertState("x", "running");
  expect(await t.enqueue(job, { doc: "a" }, { id: "other" })).toMatchObject({
    ...{ id: "x", conflict: { kind: "kept" } },
  });
  end();
  await t.drain();
});

test("a retried dead letter holds its key though its last node died before it freed the key", async () => {
  await using t = await createTestRuntime({ jobs: [handled] });
  await t.enqueue(job, { doc: "a", fails: true }, { id: "dead" });
  await t.drain();
  const claims = new UniqueClaims(t.broker);
  const key = new UniqueKey("default", "a");
  const freed = await claims.read(key);
  await claims.write(key, { id: "dead", state: "seen" }, freed?.revision ?? 0);
  await t.client.dead.retry({});
  // Its record of the first life says that it is over; the second has not begun.
  expect(await t.enqueue(job, { doc: "a" }, { id: "other" })).toMatchObject({ id: "dead" });
  await t.drain();
  expect((await t.job("dead")).history.map(({ state }) => state)).toEqual(["dead", "dead"]);
});

test("a job's status names its parent, and its history what it enqueued", async () => {
  const parent = defineJob({ name: "parent" }).handler(({ enqueue }) =>
    enqueue(job, { doc: "a" }, { id: "child" }).then(() => "done"),
  );
  await using t = await createTestRuntime({ jobs: [handled, parent] });
  await t.enqueue(parent, null, { id: "p" });
  await t.drain();
  expect((await t.job("child")).parent).toEqual({ id: "p", queue: "default" });
  expect((await t.job("p")).history).toMatchObject([
    { children: { count: 1, jobs: [{ id: "child", queue: "default" }] } },
  ]);
});

test("an id that is on record keeps no other job from its unique key, not even for a moment", async () => {
  await using t = await createTestRuntime({ jobs: [handled] });
  await t.enqueue(job, { doc: "a" }, { id: "over" });
  await t.drain();
  await t.clock.advance("1h");
  const onRecordSince = t.broker.onRecordSince.bind(t.broker);
  const others: unknown[] = [];
  // While it is looked up, another program enqueues.
  t.broker.onRecordSince = async (ref) => {
    if (ref.id === "over") others.push(await t.enqueue(job, { doc: "a" }, { id: "other" }));
    return onRecordSince(ref);
  };
  expect(await t.enqueue(job, { doc: "a" }, { id: "over" })).toMatchObject({
    ...{ id: "over", duplicate: true },
  });
  expect(others).toMatchObject([{ id: "other", duplicate: false }]);
  await t.drain();
  await t.assertSucceeded("other");
});
