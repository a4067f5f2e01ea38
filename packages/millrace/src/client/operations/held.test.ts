import { takeLock } from "@millrace/runtime";
import { MillraceError, type RunRef, silentLogger } from "@millrace/core";
import { expect, onTestFinished, test } from "vitest";
import { AUDIT_BUCKET } from "../audit.ts";
import { discardLetter } from "../dead/dead-discard.ts";
import {
  charge,
  DISCARD,
  discarded,
  pay,
  QUEUE,
  RETRY,
  scene,
  type Scene,
} from "./undo.fixture.ts";

/** As another process that is at it would, for as long as the test lasts. */
async function hold({ another, clock }: Scene, operation: string): Promise<void> {
  const { locks } = another().broker;
  const lease = await takeLock(
    { locks, clock, log: silentLogger, random: () => 0.5 },
    { name: `operation/${operation}`, holder: "another", leaseMs: 15_000, waitMs: 0 },
  );
  expect(lease).toBeDefined();
  onTestFinished(() => lease?.release());
}

test("five operations that others are at do not keep a sixth from being carried out", async () => {
  const of = await scene();
  const { client, clock } = of;
  const held = [];
  for (let n = 0; n < 5; n += 1) {
    await clock.advance("1s");
    held.push((await client.operations.start(DISCARD)).id);
  }
  for (const id of held) await hold(of, id);
  await clock.advance("1s");
  const { id } = await client.operations.start(DISCARD);
  expect(held.every((other) => other < id)).toBe(true);
  const serving = await client.operations.serve();
  onTestFinished(() => serving.stop());
  await clock.advance("10s");
  expect(await client.operations.get(id)).toMatchObject({ progress: { state: "done" } });
  for (const other of held)
    expect(await client.operations.get(other)).toMatchObject({ progress: { state: "running" } });
});

test("an undo that waits for another one is stopped at once, with nothing done", async () => {
  const { of, id } = await discarded();
  const { client } = of;
  // The audit's order is that of time.
  await of.clock.advance("1s");
  const undo = await client.operations.undo(id);
  await hold(of, id);
  expect(await client.operations.stop(undo.id, { by: "ada" })).toMatchObject({
    ...{ done: 0, progress: { state: "stopped", by: "ada" } },
  });
  expect(await client.dead.list()).toEqual([]);
  expect(await client.audit.list()).toMatchObject([
    { id: undo.id, outcome: { state: "stopped", by: "ada", count: 0 } },
    { id },
  ]);
});

test("who was frozen before it removed a letter that was put back since leaves its steps alone", async () => {
  const of = await scene({ steps: true });
  const { client } = of;
  await client.enqueue(pay, { n: 1 }, { id: "p1" });
  await of.drain();
  const { broker } = of.another();
  const [letter] = await broker.deadLetters.list({ queue: QUEUE });
  if (letter === undefined) throw new Error("it has not died");
  const { id } = await client.operations.start(DISCARD);
  expect(await client.operations.run(id)).toMatchObject({ done: 1 });
  const undo = await client.operations.undo(id);
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 1 });
  // Awake, it goes on with what it has read.
  expect(await discardLetter({ broker, clock: of.clock }, letter)).toBe(false);
  of.bankIsUp();
  await client.operations.run((await client.operations.start(RETRY)).id);
  await of.drain();
  expect(of.ran.get("p1")).toHaveLength(1);
  expect(of.reserved).toEqual(["p1"]);
});

test("who was frozen after it removed a letter that was put back since leaves its steps alone", async () => {
  const of = await scene({ steps: true });
  await of.client.enqueue(pay, { n: 1 }, { id: "p1" });
  await of.drain();
  const { broker } = of.another();
  const [letter] = await broker.deadLetters.list({ queue: QUEUE });
  if (letter === undefined) throw new Error("it has not died");
  const read = broker.journal.read.bind(broker.journal);
  broker.journal.read = async (run) => {
    const { sequence: _, ...kept } = letter;
    await broker.deadLetters.add(kept, "undo");
    return read(run);
  };
  expect(await discardLetter({ broker, clock: of.clock }, letter)).toBe(true);
  broker.journal.read = read;
  of.bankIsUp();
  await of.client.operations.run((await of.client.operations.start(RETRY)).id);
  await of.drain();
  expect(of.ran.get("p1")).toHaveLength(1);
  expect(of.reserved).toEqual(["p1"]);
});

test("an undo that is stopped before it began has not ended before the audit says so", async () => {
  const of = await scene();
  await of.client.enqueue(charge, { n: 1 }, { id: "c1" });
  await of.drain();
  const { broker, client } = of.another();
  const { id } = await client.operations.start(DISCARD);
  await client.operations.run(id);
  await of.clock.advance("1s");
  const undo = await client.operations.undo(id);
  await hold(of, id);
  const documents = broker.documents.bind(broker);
  const away = new MillraceError("server-unreachable", "no answer");
  broker.documents = (bucket) =>
    bucket === AUDIT_BUCKET ? Promise.reject(away) : documents(bucket);
  await expect(client.operations.stop(undo.id)).rejects.toBe(away);
  broker.documents = documents;
  expect(await client.operations.get(undo.id)).toMatchObject({ progress: { state: "stopping" } });
  await client.operations.stop(undo.id);
  expect(await client.operations.get(undo.id)).toMatchObject({ progress: { state: "stopped" } });
  const [record] = await client.audit.list();
  expect(record).toMatchObject({ id: undo.id, outcome: { state: "stopped", count: 0 } });
});

test("who goes on with a discard forgets the steps of a letter that was removed by one who died then", async () => {
  const of = await scene({ steps: true });
  await of.client.enqueue(pay, { n: 1 }, { id: "p1" });
  await of.drain();
  const { broker, client } = of.another();
  const runs: RunRef[] = [];
  const died = new MillraceError("server-unreachable", "no answer");
  broker.journal.remove = (run) => {
    runs.push(run);
    return Promise.reject(died);
  };
  const { id } = await client.operations.start(DISCARD);
  await expect(client.operations.run(id)).rejects.toBe(died);
  const [run] = runs;
  if (run === undefined) throw new Error("nothing was to be forgotten");
  expect(await client.dead.list()).toEqual([]);
  expect(await broker.journal.read(run)).toHaveLength(1);
  const { client: next } = of.another();
  expect(await next.operations.run(id)).toMatchObject({ done: 1, progress: { state: "done" } });
  expect(await broker.journal.read(run)).toEqual([]);
  // It was kept before, and comes back with them.
  await next.operations.run((await next.operations.undo(id)).id);
  expect(await broker.journal.read(run)).toHaveLength(1);
});

test("a discard by operation reads a job's steps once", async () => {
  const of = await scene({ steps: true });
  await of.client.enqueue(pay, { n: 1 }, { id: "p1" });
  await of.client.enqueue(charge, { n: 1 }, { id: "c1" });
  await of.drain();
  const { broker, client } = of.another();
  const read = broker.journal.read.bind(broker.journal);
  const looked: string[] = [];
  broker.journal.read = (run) => {
    looked.push(run.id);
    return read(run);
  };
  const { id } = await client.operations.start({ ...DISCARD, filter: { queue: QUEUE } });
  expect(await client.operations.run(id)).toMatchObject({ done: 2 });
  expect(looked.toSorted()).toEqual(["c1", "p1"]);
  broker.journal.read = read;
  expect(await client.dead.list()).toEqual([]);
});
