import {
  type Broker,
  brokerOutlet,
  type DocumentStore,
  MillraceError,
  Producer,
  withOwn,
} from "@millrace/core";
import { expect, test } from "vitest";
import { latch } from "../../fixtures/simulated-node.ts";
import { key, scene } from "../../fixtures/unique-scene.ts";

const HOUR = 3_600_000;
const REPLACED = { kind: "replaced", key: "a", id: "v1" };

/** The second job of a key has its claim, and its publish waits. */
async function cutOff() {
  const made = await scene({ key, onConflict: "replace" });
  await made.enqueue(1, { delay: HOUR });
  const cut = latch();
  const gone = new MillraceError("connection-closed", "gone");
  let isCut = false;
  const broker = withOwn<Broker>(made.broker, {
    enqueue: async (jobs, call) => {
      await cut.promise;
      return made.broker.enqueue(jobs, call);
    },
    documents: async (bucket) => {
      const store = await made.broker.documents(bucket);
      return withOwn<DocumentStore>(store, {
        find: (name) => (isCut ? Promise.reject(gone) : store.find(name)),
      });
    },
  });
  const producer = new Producer(brokerOutlet(broker, made.clock), made.clock);
  const late = producer.enqueue(made.job, { doc: "a", version: 2 }, { id: "v2" });
  await made.clock.advance(0);
  return { ...made, late, comesThrough: () => cut.open(), loses: () => void (isCut = true) };
}

test("a publish that comes after the key went back has replaced nobody, and says so", async () => {
  const { clock, enqueue, late, comesThrough, node, ran, ends } = await cutOff();
  await clock.advance("10s");
  expect(await enqueue(3, { unique: { key: "a", onConflict: "keep" } })).toMatchObject({
    ...{ id: "v1", conflict: { kind: "kept" } },
  });
  comesThrough();
  expect((await late).conflict).toBeUndefined();
  await node();
  await clock.advance(HOUR);
  // It came later than the one that waits, and takes its place only now.
  expect(ran).toEqual([2]);
  expect(await ends(2)).toEqual(["succeeded"]);
});

test("one that comes late, and before anybody looked, has replaced the other for good", async () => {
  const { clock, enqueue, late, comesThrough, broker, node, ran } = await cutOff();
  await clock.advance("11s");
  const [asked, answers] = [latch(), latch()];
  const find = broker.findWaiting.bind(broker);
  broker.findWaiting = async (...args) => {
    const found = await find(...args);
    asked.open();
    await answers.promise;
    return found;
  };
  // Has found no second job, and is about to give the key back.
  const other = enqueue(3, { unique: { key: "a", onConflict: "keep" } });
  await asked.promise;
  comesThrough();
  expect((await late).conflict).toEqual(REPLACED);
  answers.open();
  expect(await other).toMatchObject({ id: "v2", conflict: { kind: "kept" } });
  await node();
  await clock.advance(HOUR);
  expect(ran).toEqual([2]);
});

test("one that a third has replaced meanwhile has replaced the first all the same", async () => {
  const { clock, enqueue, late, comesThrough, node, ran } = await cutOff();
  await clock.advance("5s");
  expect(await enqueue(3)).toMatchObject({ conflict: { kind: "replaced", id: "v2" } });
  await clock.advance("5s");
  comesThrough();
  expect((await late).conflict).toEqual(REPLACED);
  await node();
  await clock.advance(HOUR);
  expect(ran).toEqual([3]);
});

test("what can't be asked is not said, and the job is enqueued", async () => {
  const { clock, late, comesThrough, loses } = await cutOff();
  await clock.advance("10s");
  loses();
  comesThrough();
  expect(await late).toMatchObject({ id: "v2", duplicate: false });
  expect((await late).conflict).toBeUndefined();
});
