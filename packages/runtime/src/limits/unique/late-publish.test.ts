import {
  type Broker,
  brokerOutlet,
  type DocumentStore,
  MillraceError,
  Producer,
  withOwn,
} from "@millrace/core";
import { expect, test } from "vitest";
import { latch, makeNode, stopInTime } from "../../fixtures/simulated-node.ts";
import { key, scene } from "../../fixtures/unique-scene.ts";

const HOUR = 3_600_000;
const REPLACED = { kind: "replaced", key: "a", id: "v1" };

interface CutOff {
  readonly during?: "pending" | { readonly window: "4s" };
  readonly delay?: number;
  /** A node that dies has had the first job in its hands, and perhaps ran it. */
  readonly holderDies?: boolean;
}

/** The second job of a key has its claim, and its publish waits. */
async function cutOff({ during = "pending", delay = HOUR, holderDies = false }: CutOff = {}) {
  const made = await scene({ key, onConflict: "replace", while: during });
  const { clock, server, job } = made;
  const holder = makeNode({ jobs: [job.handler(() => "done")], clock, server, name: "n0" });
  if (holderDies) {
    await holder.node.start();
    holder.broker.documents = () => new Promise(() => {});
  }
  await made.enqueue(1, { delay });
  if (holderDies) holder.broker.crashHolder();
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
  return {
    ...made,
    holder,
    late,
    comesThrough: () => cut.open(),
    loses: () => void (isCut = true),
  };
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

test("nor has one that comes after the window of its key, though that was shorter", async () => {
  const { clock, late, comesThrough, node, ran } = await cutOff({
    during: { window: "4s" },
    delay: 4_500,
  });
  await node();
  await clock.advance("5s");
  expect(ran).toEqual([1]);
  comesThrough();
  expect((await late).conflict).toBeUndefined();
  await clock.advance("1s");
  expect(ran).toEqual([1, 2]);
});

test.each(["pending", { window: "4s" }] as const)(
  "nor has one that comes after the other ran, which a node that died had perhaps run before: %o",
  async (during) => {
    const made = await cutOff({ during, delay: 0, holderDies: true });
    made.runs((version) => {
      if (version === 1) throw new Error("fails");
    });
    await made.node();
    await made.clock.advance("31s");
    expect(made.ran).toEqual([1]);
    made.comesThrough();
    expect((await made.late).conflict).toBeUndefined();
    await made.clock.advance("20s");
    expect(made.ran.toSorted()).toEqual([1, 1, 2]);
    await stopInTime(made.holder.node, made.clock);
  },
);

test("what can't be asked is not said, and the job is enqueued", async () => {
  const { clock, late, comesThrough, loses } = await cutOff();
  await clock.advance("10s");
  loses();
  comesThrough();
  expect(await late).toMatchObject({ id: "v2", duplicate: false });
  expect((await late).conflict).toBeUndefined();
});

test("one whose claim was written, without an answer, and gave way meanwhile does not take the key back", async () => {
  const { clock, enqueue, broker, job, node, ran, ends } = await scene({
    key,
    onConflict: "replace",
  });
  await enqueue(1);
  const [written, answers] = [latch(), latch()];
  const first = withOwn<Broker>(broker, {
    documents: async (bucket) => {
      const store = await broker.documents(bucket);
      return withOwn<DocumentStore>(store, {
        put: async (name, value, expected) => {
          if (expected === 0 || expected === undefined) return store.put(name, value, expected);
          await store.put(name, value, expected);
          written.open();
          await answers.promise;
          // As the connection has it: the second copy of the write is refused.
          const unanswered = new MillraceError("publish-timeout", "no answer");
          throw new MillraceError("revision-conflict", "another was first", { cause: unanswered });
        },
      });
    },
  });
  const producer = new Producer(brokerOutlet(first, clock), clock);
  const late = producer.enqueue(job, { doc: "a", version: 2 }, { id: "v2" });
  await written.promise;
  expect(await enqueue(3)).toMatchObject({ conflict: { kind: "replaced", id: "v2" } });
  answers.open();
  expect(await late).toMatchObject({ id: "v2", duplicate: false });
  expect((await late).conflict).toBeUndefined();
  await node();
  await clock.advance("1s");
  expect(ran).toEqual([3]);
  expect(await ends(2)).toEqual([
    "cancelled: Replaced by v3, which was enqueued later with the same unique key.",
  ]);
});
