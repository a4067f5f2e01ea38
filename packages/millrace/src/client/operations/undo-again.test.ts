import { MillraceError } from "@millrace/core";
import { expect, test } from "vitest";
import { keptEnvelope, KeptThings } from "./kept-things.ts";
import { CANCEL, charge, DISCARD, discarded, pay, QUEUE, RETRY, scene } from "./undo.fixture.ts";

test.each(["ends", "dies with it"])(
  "a retried job that a node gets at the very moment in which it is taken out is not lost where that node %s",
  async (holder) => {
    const of = await scene();
    const { client } = of;
    await client.enqueue(charge, { n: 1 }, { id: "c1" });
    await of.drain();
    await client.queues.pause(QUEUE);
    const { id } = await client.operations.start(RETRY);
    await client.operations.run(id);
    const undo = await client.operations.undo(id);
    const { client: undoing, broker } = of.another();
    const takeOut = broker.arrivals.takeOut.bind(broker.arrivals);
    const read = broker.history.read.bind(broker.history);
    const ofNextLife: typeof read = async (job) =>
      (await read(job)).map((record) => ({ ...record, life: 1 }));
    broker.arrivals.takeOut = async (queue, position) => {
      expect(await takeOut(queue, position)).toBe("taken");
      if (holder === "ends") broker.history.read = ofNextLife;
      return "doubtful";
    };
    broker.whoRuns = (running) =>
      Promise.resolve({
        ...{ id: running, name: charge.name, queue: QUEUE, node: "n2", attempt: 1 },
        ...{ startedAt: of.clock.now(), createdAt: 0 },
      });
    const run = undoing.operations.run(undo.id);
    await of.clock.advance("10s");
    expect(await run).toMatchObject({ done: 0, failed: 1 });
    const [failure] = (await client.operations.get(undo.id)).failures;
    expect(failure?.code).toBe("undo-impossible");
    const letters = (await client.dead.list()).map((letter) => letter.id);
    expect(letters).toEqual(holder === "ends" ? [] : ["c1"]);
    if (holder !== "ends") expect(failure?.message).toContain("It is a dead letter too");
  },
);

test("two who undo one retry at once, and one who undoes it again after another retry, lose nothing", async () => {
  const of = await scene();
  const { client } = of;
  const ids = Array.from({ length: 30 }, (_, n) => `c${n}`).toSorted();
  for (const [n, id] of ids.entries()) await client.enqueue(charge, { n }, { id });
  await of.drain();
  await client.queues.pause(QUEUE);
  const lettersNow = async () =>
    (await client.dead.list({ limit: 100 })).map((letter) => letter.id).toSorted();
  const retry = await client.operations.start(RETRY);
  await client.operations.run(retry.id);
  const { client: other } = of.another();
  const undo = await client.operations.undo(retry.id);
  expect((await other.operations.undo(retry.id)).id).toBe(undo.id);
  const both = Promise.all([client.operations.run(undo.id), other.operations.run(undo.id)]);
  await of.clock.advance("1m");
  expect((await both).map(({ done }) => done)).toEqual([30, 30]);
  expect(await lettersNow()).toEqual(ids);

  // Within the time in which the dead letters' stream remembers message ids.
  const again = await client.operations.start(RETRY);
  await client.operations.run(again.id);
  expect(await lettersNow()).toEqual([]);
  const third = await client.operations.undo(retry.id);
  const ran = client.operations.run(third.id);
  await of.clock.advance("10s");
  expect(await ran).toMatchObject({ done: 0, failed: 30 });
  const fourth = await client.operations.undo(again.id);
  expect(await client.operations.run(fourth.id)).toMatchObject({ done: 30, failed: 0 });
  expect(await lettersNow()).toEqual(ids);
  expect(of.ran.size).toBe(0);
});

test("a discard that is undone, asked for again and undone again brings each letter back once", async () => {
  const of = await scene();
  const { client } = of;
  await client.enqueue(charge, { n: 1 }, { id: "c1" });
  await of.drain();
  for (let round = 0; round < 2; round += 1) {
    const { id } = await client.operations.start(DISCARD);
    await client.operations.run(id);
    const undo = await client.operations.undo(id);
    expect(await client.operations.run(undo.id)).toMatchObject({ done: 1 });
    expect(await client.dead.list()).toMatchObject([{ id: "c1" }]);
  }
  const { id } = await client.operations.start(DISCARD);
  await client.operations.run(id);
  await client.operations.run((await client.operations.undo(id)).id);
  of.bankIsUp();
  await client.operations.run((await client.operations.start(RETRY)).id);
  await of.drain();
  // It has lived on since: its letter would make it run once more.
  const late = await client.operations.undo(id);
  expect(await client.operations.run(late.id)).toMatchObject({ done: 0, gone: 1 });
  expect(await client.dead.list()).toEqual([]);
});

test("a cancel that is taken up by another keeps a job as it was, not as the first has left it", async () => {
  const of = await scene();
  const { client, clock } = of;
  of.bankIsUp();
  await client.enqueue(charge, { n: 1 }, { id: "later", delay: "10h" });
  await clock.advance("1s");
  await of.stopNode();
  const { id } = await client.operations.start(CANCEL);
  const { client: first, broker } = of.another();
  const documents = broker.documents.bind(broker);
  broker.documents = async (bucket, options) => {
    const store = await documents(bucket, options);
    if (bucket !== "cancellations") return store;
    const put = store.put.bind(store);
    store.put = async (...given) => {
      const revision = await put(...given);
      await client.broker.delayed.move("later", QUEUE, "now", {
        cancellation: { reason: "it was cancelled" },
      });
      await broker.close();
      return revision;
    };
    return store;
  };
  await expect(first.operations.run(id)).rejects.toThrow();
  await clock.advance("1m");
  await client.operations.run(id);
  const kept = await (await KeptThings.of(client.broker, id)).read(0);
  expect(kept && keptEnvelope(client.broker, kept)).toMatchObject({ id: "later" });
  expect(kept && keptEnvelope(client.broker, kept).cancelled).toBeUndefined();
});

test("an undo that a full queue refused can be asked for again", async () => {
  const of = await scene();
  const { client } = of;
  of.bankIsUp();
  await client.enqueue(charge, { n: 1 }, { id: "later", delay: "2h" });
  await of.clock.advance("1s");
  const { id } = await client.operations.start(CANCEL);
  await client.operations.run(id);
  await of.clock.advance("1m");
  const { client: refused, broker } = of.another();
  broker.requeue = () => Promise.reject(new MillraceError("queue-full", "It is full."));
  const first = await refused.operations.undo(id);
  expect(await refused.operations.run(first.id)).toMatchObject({ done: 0, failed: 1 });
  const second = await client.operations.undo(id);
  expect(await client.operations.run(second.id)).toMatchObject({ done: 1, failed: 0 });
  await of.clock.advance("3h");
  await of.drain();
  expect(of.ran.get("later")).toEqual([{ n: 1 }]);
});

test("a job that was cancelled between its steps is not begun again", async () => {
  const of = await scene({ steps: true });
  const { client } = of;
  await client.enqueue(pay, { n: 1 }, { id: "paid" });
  await of.drain();
  await client.queues.pause(QUEUE);
  await client.operations.run((await client.operations.start(RETRY)).id);
  const { id } = await client.operations.start(CANCEL);
  await client.operations.run(id);
  await client.queues.resume(QUEUE);
  await of.drain();
  of.bankIsUp();
  const undo = await client.operations.undo(id);
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 0, failed: 1 });
  const [failure] = (await client.operations.get(undo.id)).failures;
  expect(failure).toMatchObject({ message: expect.stringContaining("it had begun") });
  await of.drain();
  expect(of.reserved).toEqual(["paid"]);
});

test("a letter that was put back and retried is not put back beside its job that waits", async () => {
  const { of, id } = await discarded();
  const { client } = of;
  await client.operations.run((await client.operations.undo(id)).id);
  await client.queues.pause(QUEUE);
  await client.operations.run((await client.operations.start(RETRY)).id);
  const again = await client.operations.undo(id);
  expect(await client.operations.run(again.id)).toMatchObject({ done: 0, gone: 1 });
  expect(await client.dead.list()).toEqual([]);
});

test("the key of a retried job that was taken back is free", async () => {
  const of = await scene();
  const { client } = of;
  await client.enqueue(charge, { n: 1 }, { id: "u1", unique: { key: "k" } });
  await of.drain();
  await client.queues.pause(QUEUE);
  const { id } = await client.operations.start(RETRY);
  await client.operations.run(id);
  const kept = await client.enqueue(charge, { n: 2 }, { unique: { key: "k" } });
  expect(kept).toMatchObject({ id: "u1", duplicate: true });
  const undo = await client.operations.undo(id);
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 1 });
  const next = await client.enqueue(charge, { n: 3 }, { id: "u3", unique: { key: "k" } });
  expect(next).toMatchObject({ id: "u3", duplicate: false });
});
