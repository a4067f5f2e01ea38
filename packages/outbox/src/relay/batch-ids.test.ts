import { type BatchEnded, callBack, callBackIfOver, defineJob, planJob } from "@millrace/core";
import type { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { beforeEach, expect, test } from "vitest";
import { type RelayScene, relayScene } from "./relay-scene.fixture.ts";
import { succeedFirst } from "./succeed-first.fixture.ts";

const page = defineJob<null>({ name: "page", queue: "pages" });
const bind = defineJob<BatchEnded<null>>({ name: "bind", queue: "books" });
let scene: RelayScene;
let broker: MemoryBroker;
let clock: SimulatedClock;

beforeEach(async () => {
  scene = await relayScene("pages", "books");
  ({ broker, clock } = scene);
});

/** Two pages, and what their queues get of them once the relay has been there. */
async function book(): Promise<void> {
  const pages = [1, 2].map((n) => planJob(page, null, { id: `p${n}` }));
  scene.outbox(scene.database).batch(pages, { id: "b", callback: { job: bind, input: null } });
  const { round } = scene.relayOn();
  for (let left = 2; left > 0; left -= 1) await round();
}

/** As nodes do it when the batch's jobs, and then its callback, have ended. */
async function endBatch(): Promise<void> {
  for (const id of ["p1", "p2"])
    if (!(await broker.batches.leave("b", { id, queue: "pages" }, "succeeded")))
      await callBack(broker, "b", (envelope) => broker.requeue(envelope), false);
  const createdAt = clock.now();
  const record = { id: "b:callback", name: "bind", door: "runtime", createdAt } as const;
  await succeedFirst({ broker, clock }, "books", record);
}

test("a second batch of an id is kept out for as long as the first's callback is on record", async () => {
  await book();
  await endBatch();
  await clock.advance("1h");
  await book();
  expect(await broker.batches.find("b")).toBeUndefined();
  expect(scene.rows()).toBe(0);
  expect([await scene.queued("pages"), await scene.queued("books")]).toEqual([["p1", "p2"], []]);
});

test("what an earlier batch of an id called back is not taken for a later one's callback", async () => {
  await book();
  const made = await broker.batches.find("b");
  if (made === undefined) throw new Error("the batch is not known");
  await endBatch();
  await clock.advance("1h");
  const createdAt = clock.now();
  const { id, callback } = made;
  await broker.batches.open({ id, createdAt, callback: { ...callback, createdAt } });
  // A node whose job comes again, or a relay, does it as something that may have been done before.
  await callBackIfOver(broker, "b");
  await callBackIfOver(broker, "b");
  expect(await scene.queued("books")).toEqual(["b:callback"]);
});
