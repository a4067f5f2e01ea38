import { CANCELLATIONS_BUCKET, defineJob, MillraceError } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { expect, onTestFinished, test } from "vitest";
import { keptEnvelope, KeptThings } from "./kept-things.ts";
import { CANCEL, charge, QUEUE, scene } from "./undo.fixture.ts";

test("a job that was enqueued since is not cancelled for a delayed one of its id that has ended", async () => {
  const of = await scene();
  const { client, clock } = of;
  of.bankIsUp();
  await client.enqueue(charge, { n: 1 }, { id: "x", delay: "1h" });
  await clock.advance("1s");
  expect(await client.delayed.list()).toHaveLength(1);
  const { id } = await client.operations.start(CANCEL);
  await clock.advance("2h");
  await client.queues.pause(QUEUE);
  await client.enqueue(charge, { n: 2 }, { id: "x", once: false });
  expect(await client.operations.run(id)).toMatchObject({ done: 0, gone: 1 });
  await client.queues.resume(QUEUE);
  await of.drain();
  expect(of.ran.get("x")).toEqual([{ n: 1 }, { n: 2 }]);
});

test("a delayed job that can't be read is not cancelled as any of its id, and the operation says so", async () => {
  const of = await scene();
  const { client: asking, broker } = of.another();
  await of.client.enqueue(charge, { n: 1 }, { id: "x", delay: "1h" });
  await of.clock.advance("1s");
  const list = broker.delayed.list.bind(broker.delayed);
  broker.delayed.list = async (query) =>
    (await list(query)).map(({ envelope: _, ...unread }) => unread);
  const { id } = await asking.operations.start(CANCEL);
  const ended = await of.client.operations.run(id);
  expect(ended).toMatchObject({ done: 0, failed: 1, failures: [{ code: "invalid-envelope" }] });
  expect(await of.client.job("x")).toMatchObject({ state: "delayed" });
});

test("two jobs of one id are two things, which are both cancelled and both come back", async () => {
  const of = await scene();
  const { client, clock } = of;
  of.bankIsUp();
  await client.queues.pause(QUEUE);
  await client.enqueue(charge, { n: 1 }, { id: "x" });
  await clock.advance("5m");
  await client.enqueue(charge, { n: 2 }, { id: "x", once: false });
  const { id, total } = await client.operations.start(CANCEL);
  expect(total).toBe(2);
  expect(await client.operations.run(id)).toMatchObject({ done: 2 });
  const things = await KeptThings.of(client.broker, id);
  const kept = [await things.read(0), await things.read(1)];
  expect(kept.map((one) => one && keptEnvelope(client.broker, one).payload)).toEqual([
    ...[{ n: 1 }, { n: 2 }],
  ]);
  await client.queues.resume(QUEUE);
  await of.drain();
  expect(of.ran.size).toBe(0);
  await clock.advance("1s");
  const undo = await client.operations.undo(id);
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 2, failed: 0 });
  await of.drain();
  expect(of.ran.get("x")).toEqual([{ n: 1 }, { n: 2 }]);
});

test("an undo that is gone on with after a death enqueues neither of two jobs of one id twice", async () => {
  const of = await scene();
  const { client, clock } = of;
  of.bankIsUp();
  await client.queues.pause(QUEUE);
  await client.enqueue(charge, { n: 1 }, { id: "x" });
  await clock.advance("5m");
  await client.enqueue(charge, { n: 2 }, { id: "x", once: false });
  const { id } = await client.operations.start(CANCEL);
  expect(await client.operations.run(id)).toMatchObject({ done: 2 });
  await client.queues.resume(QUEUE);
  await of.drain();
  await client.queues.pause(QUEUE);
  await clock.advance("1s");
  const undo = await client.operations.undo(id);
  const { client: first, broker } = of.another();
  const requeue = broker.requeue.bind(broker);
  let times = 0;
  broker.requeue = async (...given) => {
    const result = await requeue(...given);
    times += 1;
    if (times < 2) return result;
    await broker.close();
    throw new MillraceError("connection-closed", "killed");
  };
  await expect(first.operations.run(undo.id)).rejects.toMatchObject({ code: "connection-closed" });
  // Longer than ids are remembered.
  await clock.advance("10m");
  const finished = client.operations.run(undo.id);
  await clock.advance("1m");
  expect(await finished).toMatchObject({ done: 2, failed: 0 });
  await client.queues.resume(QUEUE);
  await of.drain();
  expect(of.ran.get("x")).toEqual([{ n: 1 }, { n: 2 }]);
});

test("a job that a node puts at a gate while it is looked for is kept, and comes back", async () => {
  const of = await scene();
  const { client, clock } = of;
  const gated = defineJob<{ readonly n: number }>({
    ...{ name: "gated", queue: "gated", concurrency: { key: () => "one", limit: 1 } },
  });
  const ends = new Map<string, () => void>();
  const handled = gated.handler(
    ({ job: { id } }) => new Promise<void>((resolve) => void ends.set(id, resolve)),
  );
  const node = createNode({
    ...{ broker: of.another().broker, clock, random: () => 0.5, name: "gate" },
    jobs: [handled],
  });
  await node.start();
  onTestFinished(() => node.stop());
  await client.enqueue(gated, { n: 1 }, { id: "first" });
  await client.enqueue(gated, { n: 2 }, { id: "second" });
  await clock.advance("1s");
  const filter = { queue: "gated", state: "blocked" } as const;
  const { id, total } = await client.operations.start({ kind: "jobs-cancel", filter });
  expect(total).toBe(1);
  const { client: runner, broker } = of.another();
  const list = broker.blocked.list.bind(broker.blocked);
  let looks = 0;
  // At the first look it lay in its queue, and where it is blocked at the second.
  broker.blocked.list = async (query) => {
    looks += 1;
    return looks === 1 ? [] : list(query);
  };
  expect(await runner.operations.run(id)).toMatchObject({ done: 1 });
  await clock.advance("1s");
  expect(await client.job("second")).toMatchObject({ state: "cancelled" });
  const { id: undo } = await client.operations.undo(id);
  expect(await client.operations.run(undo)).toMatchObject({ done: 1, failed: 0 });
  ends.get("first")?.();
  await clock.advance("1s");
  expect(await client.job("second")).toMatchObject({ state: "running" });
  ends.get("second")?.();
  await clock.advance("1s");
});

/** A job that waits, and two operations that mean to cancel it. */
async function twiceMeant() {
  const of = await scene();
  const { client } = of;
  of.bankIsUp();
  await client.queues.pause(QUEUE);
  await client.enqueue(charge, { n: 1 }, { id: "c1" });
  const first = await client.operations.start(CANCEL);
  const second = await client.operations.start(CANCEL);
  return { of, client, first, second };
}

test("a job that two operations have cancelled is the first one's: it comes back once, whichever is undone", async () => {
  const { of, client, first, second } = await twiceMeant();
  expect(await client.operations.run(first.id)).toMatchObject({ done: 1 });
  // The job lies in its queue until a node takes it out.
  expect(await client.operations.run(second.id)).toMatchObject({ done: 0, gone: 1 });
  await client.queues.resume(QUEUE);
  await of.drain();
  for (const { id } of [first, second]) {
    const undo = await client.operations.undo(id);
    await client.operations.run(undo.id);
    await of.drain();
  }
  expect(of.ran.get("c1")).toEqual([{ n: 1 }]);
});

test("a job that somebody has cancelled by itself does not come back with an operation that met it", async () => {
  const of = await scene();
  const { client } = of;
  of.bankIsUp();
  await client.queues.pause(QUEUE);
  for (const id of ["c1", "c2"]) await client.enqueue(charge, { n: 1 }, { id });
  await client.cancel("c1", { reason: "no more" });
  const { id } = await client.operations.start(CANCEL);
  expect(await client.operations.run(id)).toMatchObject({ done: 1, gone: 1 });
  await client.queues.resume(QUEUE);
  await of.drain();
  const undo = await client.operations.undo(id);
  await client.operations.run(undo.id);
  await of.drain();
  expect([...of.ran.keys()]).toEqual(["c2"]);
  const [record] = await client.jobs.list({ queue: QUEUE, where: "id=c1" });
  expect(record).toMatchObject({ state: "cancelled", reason: "no more" });
});

test("where two operations say that they have cancelled a job, the undo of the second enqueues no other", async () => {
  const { of, client, first, second } = await twiceMeant();
  await client.operations.run(first.id);
  // Removed by a node that settles the job at this moment, or by a client of an earlier version.
  const cancellations = await client.broker.documents(CANCELLATIONS_BUCKET);
  for (const { key, revision } of await cancellations.list())
    await cancellations.remove(key, revision);
  expect(await client.operations.run(second.id)).toMatchObject({ done: 1 });
  await client.queues.resume(QUEUE);
  await of.drain();
  for (const [{ id }, done] of [
    [first, 1],
    [second, 0],
  ] as const) {
    const undo = await client.operations.undo(id);
    expect(await client.operations.run(undo.id)).toMatchObject({ done, gone: 1 - done });
    await of.drain();
  }
  expect(of.ran.get("c1")).toEqual([{ n: 1 }]);
});
