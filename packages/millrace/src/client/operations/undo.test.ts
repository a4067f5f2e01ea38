import { type DeadLetter, defineJob, MillraceError } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { MemoryBroker } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { readLetter } from "../dead/dead-retry.ts";
import { KeptThings } from "./kept-things.ts";
import { CANCEL, charge, DISCARD, pay, QUEUE, RETRY, scene } from "./undo.fixture.ts";

/** Dies after so many of the broker's calls, of which nothing reaches the server any more. */
function dyingAfter(broker: MemoryBroker, calls: number): () => Promise<void> {
  let left = calls;
  return async () => {
    if ((left -= 1) > 0) return;
    await broker.close();
    throw new MillraceError("connection-closed", "killed");
  };
}

test("discarded letters are there again as they were, with their steps, and are retried as before", async () => {
  const of = await scene({ steps: true });
  const { client } = of;
  for (let n = 0; n < 25; n += 1) await client.enqueue(charge, { n }, { id: `c${n}` });
  await client.enqueue(pay, { n: 99 }, { id: "paid", tags: ["late"] });
  await of.drain();
  const before = await client.dead.list({ limit: 100 });
  expect(before).toHaveLength(26);
  const { id } = await client.operations.start(DISCARD);
  expect(await client.operations.run(id)).toMatchObject({ done: 26 });
  await of.clock.advance("1s");
  expect(await client.dead.list({ limit: 100 })).toEqual([]);

  const undo = await client.operations.undo(id, { by: "bob", reason: "the wrong queue" });
  expect(undo).toMatchObject({ kind: "discard-undo", total: 26, filter: { undoes: id } });
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 26, gone: 0, failed: 0 });
  const after = await client.dead.list({ limit: 100 });
  const bare = (letters: typeof before) => letters.map(({ sequence: _, ...letter }) => letter);
  expect(bare(after)).toEqual(bare(before));
  expect(await client.audit.list()).toMatchObject([
    { action: "discard undo", by: "bob", reason: "the wrong queue", outcome: { count: 26 } },
    { action: "dead discard", by: "ada" },
  ]);

  of.bankIsUp();
  await client.operations.run((await client.operations.start(RETRY)).id);
  await of.drain();
  expect(of.ran.size).toBe(26);
  expect(of.ran.get("paid")).toEqual([{ n: 99 }]);
  expect(of.reserved).toEqual(["paid"]);
});

test("a discarded letter with a step that can't be read is not put back: its retry would do that again", async () => {
  const of = await scene({ steps: true });
  const { client, clock } = of;
  const { broker } = of.another();
  await client.enqueue(pay, { n: 1 }, { id: "paid" });
  await of.drain();
  const [letter] = await broker.deadLetters.list();
  if (letter === undefined) throw new Error("it has not died");
  const { createdAt } = readLetter(letter, {});
  const run = { id: "paid", queue: letter.queue, createdAt };
  await broker.journal.write(run, { name: "newer", n: 0 }, new TextEncoder().encode("newer"));
  const { id } = await client.operations.start(DISCARD);
  expect(await client.operations.run(id)).toMatchObject({ done: 1 });
  await clock.advance("1s");
  const undo = await client.operations.undo(id);
  expect(await client.operations.run(undo.id)).toMatchObject({
    ...{ done: 0, failed: 1, failures: [{ id: "paid", code: "undo-impossible" }] },
  });
  expect(await client.dead.list()).toEqual([]);
  expect(await broker.journal.read(run)).toEqual([]);
});

test("what was discarded more than seven days ago can't be undone, and each letter says so", async () => {
  const of = await scene();
  const { client, clock } = of;
  await client.enqueue(charge, { n: 1 }, { id: "c1" });
  await of.drain();
  const { id } = await client.operations.start(DISCARD);
  await client.operations.run(id);
  await of.stopNode();
  await clock.advance("8d");
  const undo = await client.operations.undo(id);
  expect(await client.operations.run(undo.id)).toMatchObject({
    ...{ done: 0, failed: 1, failures: [{ id: "c1", code: "undo-impossible" }] },
  });
  await expect(client.operations.undo(undo.id)).rejects.toMatchObject({
    ...{ code: "invalid-option", message: expect.stringContaining("takes another one back") },
  });
});

test.each([1_000_000, 100_000])(
  "a letter of a megabyte with steps is kept in parts, where a message may have %i bytes",
  async (most) => {
    const broker = new MemoryBroker();
    onTestFinished(() => broker.close());
    const things = new KeptThings(await broker.documents("kept"), "op", most);
    const letter: DeadLetter = {
      ...{ id: "big", queue: QUEUE, attempts: 1, at: 5, node: "n", headers: {} },
      reason: "fatal",
      body: Uint8Array.from({ length: 1_000_000 }, (_, index) => index % 256),
    };
    const steps = [1, 2, 3, 4].map((n) => new Uint8Array(250_000).fill(n));
    await things.keep(7, { letter, steps });
    const kept = await things.read(7);
    expect({ ...kept?.letter, body: undefined }).toEqual({ ...letter, body: undefined });
    expect(Buffer.from(kept?.letter.body ?? []).equals(letter.body)).toBe(true);
    expect(kept?.steps).toEqual(steps);
    expect((await (await broker.documents("kept")).list()).length).toBeGreaterThan(
      2_000_000 / most,
    );
    expect(await things.read(8)).toBeUndefined();
  },
);

test("jobs that were cancelled while they waited run after all, once each, as they were enqueued", async () => {
  const of = await scene();
  const { client } = of;
  of.bankIsUp();
  await client.enqueue(charge, { n: 77 }, { id: "later", delay: "2h", headers: { tenant: "7" } });
  await of.clock.advance("1s");
  expect((await client.job("later")).state).toBe("delayed");
  await client.queues.pause(QUEUE);
  for (let n = 0; n < 30; n += 1)
    await client.enqueue(charge, { n }, { id: `c${n}`, priority: n === 0 ? "high" : "normal" });
  await of.clock.advance("1s");
  const { id } = await client.operations.start(CANCEL);
  expect(await client.operations.run(id)).toMatchObject({ done: 31 });
  await of.clock.advance("1s");
  await client.queues.resume(QUEUE);
  await of.clock.advance("1m");
  const undo = await client.operations.undo(id);
  expect(undo).toMatchObject({ kind: "cancel-undo", total: 31 });
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 31, gone: 0, failed: 0 });
  const again = await client.operations.undo(id);
  expect(await client.operations.run(again.id)).toMatchObject({ done: 0, gone: 31, failed: 0 });
  await of.clock.advance("1m");
  expect((await client.job("later")).state).toBe("delayed");
  await of.clock.advance("3h");
  await of.drain();
  expect(of.ran.size).toBe(31);
  for (const inputs of of.ran.values()) expect(inputs).toHaveLength(1);
  expect(of.ran.get("later")).toEqual([{ n: 77 }]);
  expect((await client.job("later")).state).toBe("succeeded");
  expect(await client.jobs.count({ queue: QUEUE, state: "queued" })).toBe(0);
});

test("what waits cancelled in a paused queue stays there until a node has settled it, and is undone then", async () => {
  const of = await scene();
  const { client, clock } = of;
  of.bankIsUp();
  await client.queues.pause(QUEUE);
  await client.enqueue(charge, { n: 1 }, { id: "c1" });
  const { id } = await client.operations.start(CANCEL);
  await client.operations.run(id);
  const early = client.operations.run((await client.operations.undo(id)).id);
  await clock.advance("10s");
  expect(await early).toMatchObject({ done: 0, failed: 1 });
  await client.queues.resume(QUEUE);
  await of.drain();
  expect((await client.job("c1")).state).toBe("cancelled");
  const undo = await client.operations.undo(id);
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 1, failed: 0 });
  await of.drain();
  expect(of.ran.get("c1")).toEqual([{ n: 1 }]);
});

test.each(["paused", "unserved"])(
  "the undo of what a queue that is %s still holds waits for its nodes once, and not job by job",
  async (what) => {
    const of = await scene();
    const { client, clock } = of;
    await client.queues.pause(QUEUE);
    for (let n = 0; n < 45; n += 1) await client.enqueue(charge, { n }, { id: `c${n}` });
    const { id } = await client.operations.start(CANCEL);
    expect(await client.operations.run(id)).toMatchObject({ done: 45 });
    if (what === "unserved") {
      await of.stopNode();
      await client.queues.resume(QUEUE);
    }
    let isOver = false;
    const undo = await client.operations.undo(id);
    const undone = client.operations.run(undo.id).finally(() => (isOver = true));
    await clock.advance("10s");
    expect(isOver).toBe(true);
    expect(await undone).toMatchObject({ done: 0, failed: 45 });
  },
);

test("the undo of what a queue holds that had no node waits for one that comes meanwhile", async () => {
  const of = await scene();
  const { client, clock } = of;
  await client.queues.pause(QUEUE);
  for (let n = 0; n < 45; n += 1) await client.enqueue(charge, { n }, { id: `c${n}` });
  const { id } = await client.operations.start(CANCEL);
  await client.operations.run(id);
  await of.stopNode();
  await client.queues.resume(QUEUE);
  const { broker, client: runner } = of.another();
  const seconds = (): Promise<void> =>
    new Promise((resolve) => void clock.setTimer(2_000, resolve));
  // The second step begins when a node is there, which has settled nothing yet.
  const history = broker.history.read.bind(broker.history);
  let isThere = false;
  broker.history.read = async (job) => {
    if (job.id === "c19" && !isThere) {
      isThere = true;
      await startNode();
    }
    return history(job);
  };
  const startNode = async (): Promise<void> => {
    const { broker: slow } = of.another();
    const settle = slow.settle.bind(slow);
    slow.settle = async (...given) => {
      await seconds();
      return settle(...given);
    };
    const node = createNode({
      ...{ broker: slow, clock, random: () => 0.5, name: "later", slots: 50 },
      jobs: [charge.handler(() => undefined)],
    });
    await node.start();
    onTestFinished(() => node.stop());
    while (!(await client.nodes.list()).some(({ state }) => state === "running"))
      await new Promise((resolve) => setImmediate(resolve));
  };
  const undone = runner.operations.run((await client.operations.undo(id)).id);
  await clock.advance("20s");
  expect(await undone).toMatchObject({ done: 25, failed: 20 });
});

test("a cancelled job that no node has settled yet stays as it is, and says so", async () => {
  const of = await scene();
  const { client, clock } = of;
  await client.enqueue(charge, { n: 1 }, { id: "later", delay: "2h" });
  await clock.advance("1s");
  await of.stopNode();
  const { id } = await client.operations.start(CANCEL);
  expect(await client.operations.run(id)).toMatchObject({ done: 1 });
  const undo = await client.operations.undo(id);
  const undone = client.operations.run(undo.id);
  await clock.advance("10s");
  expect(await undone).toMatchObject({
    ...{ done: 0, failed: 1 },
    failures: [{ id: "later", message: expect.stringContaining("no node has settled it yet") }],
  });
});

test("jobs that nodes have settled as cancelled run after all", async () => {
  const of = await scene();
  const { client, clock } = of;
  of.bankIsUp();
  for (let n = 0; n < 5; n += 1)
    await client.enqueue(charge, { n }, { id: `c${n}`, delay: "2h", unique: { key: `u${n}` } });
  await clock.advance("1s");
  const { id } = await client.operations.start(CANCEL);
  await client.operations.run(id);
  await clock.advance("1m");
  expect((await client.job("c1")).state).toBe("cancelled");
  const undo = await client.operations.undo(id);
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 5, failed: 0 });
  await clock.advance("1m");
  expect((await client.job("c1")).state).toBe("delayed");
  await clock.advance("3h");
  await of.drain();
  expect(of.ran.size).toBe(5);
  const { state, history } = await client.job("c1");
  expect([state, history[0]?.state, history.at(-1)?.state]).toEqual([
    ...["succeeded", "requeued", "succeeded"],
  ]);
});

test("a job that had begun before it was cancelled stays cancelled, and says so", async () => {
  const of = await scene();
  const { client, clock } = of;
  const never = defineJob<number>({ name: "never", queue: "slow" });
  const { broker } = of.another();
  const node = createNode({
    ...{ broker, clock, random: () => 0.5, name: "slow" },
    jobs: [
      never.handler(
        ({ signal }) =>
          new Promise((_, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason as Error)),
          ),
      ),
    ],
  });
  await node.start();
  onTestFinished(() => node.stop());
  await client.enqueue(never, 1, { id: "n1" });
  await clock.advance("1s");
  const { id } = await client.operations.start({ kind: "jobs-cancel", filter: { queue: "slow" } });
  const running = client.operations.run(id);
  await clock.advance("10s");
  expect(await running).toMatchObject({ done: 1 });
  const undo = await client.operations.undo(id);
  const undone = client.operations.run(undo.id);
  await clock.advance("10s");
  expect(await undone).toMatchObject({
    ...{ done: 0, failed: 1 },
    failures: [{ id: "n1", message: expect.stringContaining("it had begun") }],
  });
  expect((await client.job("n1")).state).toBe("cancelled");
});

test("retried jobs that still wait are dead letters again with their reasons, those that ran are not", async () => {
  const of = await scene();
  const { client } = of;
  for (let n = 0; n < 30; n += 1) await client.enqueue(charge, { n }, { id: `c${n}` });
  await of.drain();
  const before = await client.dead.list({ limit: 100 });
  of.bankIsUp();
  await client.queues.pause(QUEUE);
  await of.clock.advance("1s");
  const { id } = await client.operations.start(RETRY);
  await client.operations.run(id);
  expect(await client.dead.list()).toEqual([]);
  const undo = await client.operations.undo(id);
  expect(await client.operations.run(undo.id)).toMatchObject({ kind: "retry-undo", done: 30 });
  const after = await client.dead.list({ limit: 100 });
  // As they were, but that the life that was taken back counts.
  const known = ({ id, at, reason, error, attempts }: (typeof before)[number]): object => ({
    ...{ id, at, reason, error, attempts },
  });
  expect(after.map(known)).toEqual(before.map(known));
  await client.queues.resume(QUEUE);
  await of.drain();
  expect(of.ran.size).toBe(0);

  // Within the time in which the queue remembers the ids of the retry that was taken back.
  const again = await client.operations.start(RETRY);
  await client.operations.run(again.id);
  await of.drain();
  expect(of.ran.size).toBe(30);
  const late = await client.operations.undo(again.id);
  expect(await client.operations.run(late.id)).toMatchObject({ done: 0, failed: 30 });
  expect((await client.operations.get(late.id)).failures[0]).toMatchObject({
    ...{ code: "undo-impossible", message: expect.stringContaining("a node has had it") },
  });
  expect(await client.dead.list()).toEqual([]);
});

const DEATHS = [
  ["discard-undo", "add"],
  ["retry-undo", "add"],
  ["retry-undo", "takeOut"],
  ["cancel-undo", "requeue"],
] as const;

test.each(DEATHS)(
  "a process that dies in a %s right after its %s leaves a rest that another finishes: nothing twice, nothing lost",
  async (kind, last) => {
    const of = await scene();
    const { client } = of;
    const ids = Array.from({ length: 22 }, (_, n) => `c${n}`);
    if (kind === "cancel-undo") of.bankIsUp();
    if (kind === "cancel-undo") await client.queues.pause(QUEUE);
    for (const [n, id] of ids.entries()) await client.enqueue(charge, { n }, { id });
    if (kind !== "cancel-undo") await of.drain();
    await client.queues.pause(QUEUE);
    await of.clock.advance("1s");
    const request = { "discard-undo": DISCARD, "retry-undo": RETRY, "cancel-undo": CANCEL }[kind];
    const { id } = await client.operations.start(request);
    expect(await client.operations.run(id)).toMatchObject({ done: 22 });
    const undo = await client.operations.undo(id);
    const { client: first, broker } = of.another();
    const strike = dyingAfter(broker, 7);
    const after =
      <Given extends readonly unknown[], Result>(call: (...given: Given) => Promise<Result>) =>
      async (...given: Given): Promise<Result> => {
        const result = await call(...given);
        await strike();
        return result;
      };
    const { deadLetters, arrivals } = broker;
    if (last === "add") deadLetters.add = after(deadLetters.add.bind(deadLetters));
    if (last === "takeOut") arrivals.takeOut = after(arrivals.takeOut.bind(arrivals));
    if (last === "requeue") broker.requeue = after(broker.requeue.bind(broker));
    if (kind === "cancel-undo") {
      // Nodes settle what was cancelled.
      await client.queues.resume(QUEUE);
      await of.clock.advance("1m");
    }
    await expect(first.operations.run(undo.id)).rejects.toMatchObject({
      code: "connection-closed",
    });
    // Longer than ids are remembered.
    await of.clock.advance("10m");
    const finished = client.operations.run(undo.id);
    await of.clock.advance("1m");
    expect(await finished).toMatchObject({ done: 22, gone: 0, failed: 0 });
    await client.queues.resume(QUEUE);
    of.bankIsUp();
    await of.drain();
    const letters = (await client.dead.list({ limit: 100 })).map((letter) => letter.id);
    if (kind === "cancel-undo") {
      expect(letters).toEqual([]);
      expect([...of.ran.keys()].toSorted()).toEqual(ids.toSorted());
      for (const inputs of of.ran.values()) expect(inputs).toHaveLength(1);
    } else {
      expect(letters.toSorted()).toEqual(ids.toSorted());
      expect(of.ran.size).toBe(0);
    }
  },
);

test("an undo that is stopped leaves the rest as it is", async () => {
  const of = await scene();
  const { client } = of;
  for (let n = 0; n < 45; n += 1) await client.enqueue(charge, { n }, { id: `c${n}` });
  await of.drain();
  const { id } = await client.operations.start(DISCARD);
  await client.operations.run(id);
  const undo = await client.operations.undo(id);
  const { client: runner, broker } = of.another();
  const add = broker.deadLetters.add.bind(broker.deadLetters);
  let added = 0;
  broker.deadLetters.add = async (...given) => {
    if ((added += 1) === 25) await client.operations.stop(undo.id, { by: "bob" });
    return add(...given);
  };
  expect(await runner.operations.run(undo.id)).toMatchObject({
    ...{ total: 45, done: 40, progress: { state: "stopped", by: "bob" } },
  });
  expect(await client.dead.list({ limit: 100 })).toHaveLength(40);
});
