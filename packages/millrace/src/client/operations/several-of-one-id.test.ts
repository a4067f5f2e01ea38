import { defineJob, MillraceError } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { createClient } from "../client.ts";
import { charge, QUEUE, RETRY, type Scene, scene } from "./undo.fixture.ts";

const HOUR_MS = 3_600_000;

/** Two jobs of one id wait for their times, and which of them is due when, in hours. */
async function twoDelayed() {
  const of = await scene();
  const { client, clock } = of;
  const start = clock.now();
  const later = async (n: number, hours: number): Promise<void> => {
    const at = start + hours * HOUR_MS;
    await client.enqueue(charge, { n }, { id: "x", at, once: false });
    await clock.advance("5m");
  };
  await later(1, 1);
  await later(2, 3);
  const due = async (): Promise<Readonly<Record<string, number>>> =>
    Object.fromEntries(
      (await client.broker.delayed.list({ envelopes: true })).map(({ envelope, notBefore }) => [
        `n${String((envelope?.payload as { readonly n: number } | undefined)?.n)}`,
        (notBefore - start) / HOUR_MS,
      ]),
    );
  expect(await due()).toEqual({ n1: 1, n2: 3 });
  return { ...of, start, later, due };
}

test("two delayed jobs of one id are both given another time, and each its old one again", async () => {
  const { client, start, due } = await twoDelayed();
  const target = { kind: "jobs-reschedule", filter: { queue: QUEUE } } as const;
  const { id, total } = await client.operations.start({ ...target, at: start + 10 * HOUR_MS });
  expect(total).toBe(2);
  expect(await client.operations.run(id)).toMatchObject({ done: 2, gone: 0 });
  expect(await due()).toEqual({ n1: 10, n2: 10 });
  const undo = await client.operations.undo(id);
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 2, gone: 0 });
  expect(await due()).toEqual({ n1: 1, n2: 3 });
  expect(await client.operations.items(id)).toEqual([
    { id: "x", queue: QUEUE, outcome: "done" },
    { id: "x", queue: QUEUE, outcome: "done" },
  ]);
});

test("another job of the id that has come since, for the same time, is not moved instead", async () => {
  const { client, clock, start, later, due } = await twoDelayed();
  const filter = { queue: QUEUE, where: "payload.n:2" };
  const at = start + 10 * HOUR_MS;
  const { id, total } = await client.operations.start({ kind: "jobs-reschedule", filter, at });
  expect(total).toBe(1);
  await client.delayed.move("x", QUEUE, "now");
  await clock.advance("1s");
  await later(3, 3);
  expect(await client.operations.run(id)).toMatchObject({ done: 0, gone: 1 });
  expect(await due()).toEqual({ n1: 1, n3: 3 });
});

test("a delayed job that can't be read is not moved as any of its id, and the operation says so", async () => {
  const of = await twoDelayed();
  const { client: asking, broker } = of.another();
  const list = broker.delayed.list.bind(broker.delayed);
  broker.delayed.list = async (query) =>
    (await list(query)).map(({ envelope: _, ...unread }) => unread);
  const target = { kind: "jobs-reschedule", filter: { queue: QUEUE }, delay: "10h" } as const;
  const { id } = await asking.operations.start(target);
  const ended = await of.client.operations.run(id);
  expect(ended).toMatchObject({ done: 0, failed: 1, failures: [{ code: "invalid-envelope" }] });
  expect(await of.due()).toEqual({ n1: 1, n2: 3 });
});

/** A job of an id runs; another of the id waits behind it. */
async function oneRuns() {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const client = createClient(new MemoryBroker({ clock, server }), clock);
  const send = defineJob<{ readonly n: number }>({ name: "mail.send", queue: "mail" });
  const ended = Promise.withResolvers<void>();
  const node = createNode({
    ...{ broker: new MemoryBroker({ clock, server }), clock, random: () => 0.5, slots: 1 },
    jobs: [send.handler(() => ended.promise)],
  });
  await node.start();
  onTestFinished(async () => {
    ended.resolve();
    await node.stop();
  });
  await client.enqueue(send, { n: 1 }, { id: "x" });
  await clock.advance("5m");
  await client.enqueue(send, { n: 2 }, { id: "x", once: false });
  await clock.advance("1s");
  return { client, clock };
}

test("a job that waits is not taken for another of its id that runs", async () => {
  const { client } = await oneRuns();
  for (const state of ["running", "queued"] as const) {
    const [job, ...others] = await client.jobs.list({ state });
    expect(others).toEqual([]);
    expect(job).toMatchObject({ id: "x", state });
  }
  const { jobs } = await client.jobs.search({ state: "queued", where: "payload.n:2" });
  expect(jobs).toMatchObject([{ id: "x", state: "queued" }]);
  expect(await client.jobs.search({ state: "running", where: "payload.n:2" })).toMatchObject({
    jobs: [],
  });
  for (const state of ["running", "queued"] as const) {
    const target = { kind: "jobs-cancel", filter: { queue: "mail", state } } as const;
    expect(await client.operations.count(target)).toBe(1);
  }
  expect(await client.operations.count({ kind: "jobs-cancel", filter: { queue: "mail" } })).toBe(2);
});

/** Two jobs of one id are dead letters, which an operation has retried; both wait. */
async function twoRetried(): Promise<{ readonly of: Scene; readonly undo: string }> {
  const of = await scene();
  const { client, clock } = of;
  for (const n of [1, 2]) {
    await client.enqueue(charge, { n }, { id: "x", once: false });
    await of.drain();
    await clock.advance("10m");
  }
  await client.queues.pause(QUEUE);
  await clock.advance("1s");
  const { id } = await client.operations.start(RETRY);
  expect(await client.operations.run(id)).toMatchObject({ done: 2 });
  await clock.advance("1s");
  return { of, undo: (await client.operations.undo(id)).id };
}

test("two retried jobs of one id that still wait are both dead letters again", async () => {
  const { of, undo } = await twoRetried();
  const { client } = of;
  expect(await client.operations.run(undo)).toMatchObject({ done: 2, gone: 0, failed: 0 });
  expect(await client.dead.list()).toHaveLength(2);
  of.bankIsUp();
  await client.queues.resume(QUEUE);
  await of.drain();
  expect(of.ran.size).toBe(0);
  await client.dead.retry({});
  await of.drain();
  expect(of.ran.get("x")).toEqual([{ n: 1 }, { n: 2 }]);
});

test("an undo that is gone on with after a death is not held up by another job of the id", async () => {
  const { of, undo } = await twoRetried();
  const { client: first, broker } = of.another();
  const takeOut = broker.arrivals.takeOut.bind(broker.arrivals);
  broker.arrivals.takeOut = async (...given) => {
    await takeOut(...given);
    await broker.close();
    throw new MillraceError("connection-closed", "killed");
  };
  await expect(first.operations.run(undo)).rejects.toMatchObject({ code: "connection-closed" });
  await of.clock.advance("1m");
  const finished = of.client.operations.run(undo);
  await of.clock.advance("1m");
  expect(await finished).toMatchObject({ done: 2, gone: 0, failed: 0 });
  expect(await of.client.dead.list()).toHaveLength(2);
});

test("letters of one id that were written at the same moment are two", async () => {
  const of = await scene();
  const { client, clock } = of;
  await client.queues.pause(QUEUE);
  for (const n of [1, 2]) {
    await client.enqueue(charge, { n }, { id: "x", once: false });
    await clock.advance("10m");
  }
  await client.queues.resume(QUEUE);
  await of.drain();
  const letters = await client.dead.list();
  expect(new Set(letters.map(({ at }) => at)).size).toBe(1);
  await client.queues.pause(QUEUE);
  await clock.advance("1s");
  const { id } = await client.operations.start({ ...RETRY, filter: { queue: QUEUE } });
  expect(await client.operations.run(id)).toMatchObject({ done: 2 });
  await clock.advance("1s");
  const undo = await client.operations.undo(id);
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 2, gone: 0, failed: 0 });
  expect(await client.dead.list()).toHaveLength(2);
});
