import { defineJob, MillraceError } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { expect, onTestFinished, test } from "vitest";
import { createClient } from "../client.ts";

const gated = defineJob<{ readonly n: number }>({
  ...{ name: "gated", queue: "gated", concurrency: { key: () => "one", limit: 1 } },
});

/** One runs, and all that come after it are blocked at its gate. */
async function scene() {
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const ended = Promise.withResolvers<void>();
  const node = createNode({
    ...{ broker: new MemoryBroker({ clock, server }), clock, random: () => 0.5, name: "node" },
    jobs: [gated.handler(() => ended.promise)],
  });
  await node.start();
  onTestFinished(async () => {
    ended.resolve();
    await node.stop();
  });
  const client = createClient(new MemoryBroker({ clock, server }), clock);
  const enqueue = async (...ids: readonly string[]): Promise<void> => {
    for (const [n, id] of ids.entries()) await client.enqueue(gated, { n }, { id });
    await clock.advance("1s");
  };
  const broker = new MemoryBroker({ clock, server });
  await enqueue("runs");
  return { clock, client, broker, runner: createClient(broker, clock), enqueue };
}

const FILTER = { queue: "gated", where: "id!=runs" };

test("what is blocked is read a few times for each step, however many of it are cancelled", async () => {
  const { clock, client, broker, runner, enqueue } = await scene();
  const ids = Array.from({ length: 60 }, (_, n) => `b${n}`);
  await enqueue(...ids);
  const { id, total } = await client.operations.start({ kind: "jobs-cancel", filter: FILTER });
  expect(total).toBe(60);
  let reads = 0;
  const { blocked } = broker;
  const [list, releaseJob] = [blocked.list.bind(blocked), blocked.releaseJob.bind(blocked)];
  const findWaiting = broker.findWaiting.bind(broker);
  blocked.list = (query) => {
    reads += 1;
    return list(query);
  };
  blocked.releaseJob = (queue, job, meant) => {
    if (meant?.sequence === undefined) reads += 1;
    return releaseJob(queue, job, meant);
  };
  broker.findWaiting = (job, options) => {
    if (options?.only !== "delayed") reads += 1;
    return findWaiting(job, options);
  };
  expect(await runner.operations.run(id)).toMatchObject({ done: 60, gone: 0, failed: 0 });
  // Three steps.
  expect(reads).toBeLessThanOrEqual(6);
  await clock.advance("1s");
  for (const job of ids) expect(await client.job(job)).toMatchObject({ state: "cancelled" });
  expect(await client.job("runs")).toMatchObject({ state: "running" });
  const undo = await client.operations.undo(id);
  expect(await client.operations.run(undo.id)).toMatchObject({ done: 60, failed: 0 });
});

test("a job that comes to a gate while the step is under way is let in too", async () => {
  const { clock, client, broker, runner, enqueue } = await scene();
  await client.queues.pause("gated");
  await clock.advance("1s");
  await enqueue("late");
  const { id } = await client.operations.start({ kind: "jobs-cancel", filter: FILTER });
  const stretch = broker.arrivals.stretch.bind(broker.arrivals);
  let hasCome = false;
  broker.arrivals.stretch = async (...asked) => {
    const part = await stretch(...asked);
    if (hasCome) return part;
    hasCome = true;
    await client.queues.resume("gated");
    await clock.advance("1s");
    expect(await client.job("late")).toMatchObject({ state: "blocked" });
    return part;
  };
  expect(await runner.operations.run(id)).toMatchObject({ done: 1 });
  expect(hasCome).toBe(true);
  await clock.advance("1s");
  expect(await client.job("late")).toMatchObject({ state: "cancelled" });
});

test("what can't be let in is said to have failed, and the others are cancelled", async () => {
  const { clock, client, broker, runner, enqueue } = await scene();
  await enqueue("a", "b");
  const { id } = await client.operations.start({ kind: "jobs-cancel", filter: FILTER });
  const releaseJob = broker.blocked.releaseJob.bind(broker.blocked);
  broker.blocked.releaseJob = async (queue, job, meant) => {
    if (job === "a") throw new MillraceError("queue-full", "It is full.");
    return releaseJob(queue, job, meant);
  };
  expect(await runner.operations.run(id)).toMatchObject({
    ...{ done: 1, failed: 1, failures: [{ id: "a", code: "queue-full" }] },
  });
  await clock.advance("1s");
  expect(await client.job("b")).toMatchObject({ state: "cancelled" });
});

test("one that meets a defect lets in those that it has cancelled before, and says so", async () => {
  const { clock, client, broker, runner, enqueue } = await scene();
  await enqueue("a", "b", "c");
  const { id } = await client.operations.start({ kind: "jobs-cancel", filter: FILTER });
  const move = broker.delayed.move.bind(broker.delayed);
  broker.delayed.move = async (...given) => {
    if (given[0] === "c") throw new TypeError("a defect");
    return move(...given);
  };
  await expect(runner.operations.run(id)).rejects.toThrow("a defect");
  expect(await client.operations.get(id)).toMatchObject({ done: 2, progress: { state: "failed" } });
  await clock.advance("1s");
  for (const job of ["a", "b"]) expect(await client.job(job)).toMatchObject({ state: "cancelled" });
});

test("who loses the operation's lock in the middle of a step lets in none any more", async () => {
  const { clock, client, broker, runner, enqueue } = await scene();
  await enqueue("a", "b");
  const { id } = await client.operations.start({ kind: "jobs-cancel", filter: FILTER });
  const { delayed, blocked } = broker;
  const [move, releaseJob] = [delayed.move.bind(delayed), blocked.releaseJob.bind(blocked)];
  // As where another process goes on with it: this one stood still.
  broker.locks.renew = () => Promise.reject(new MillraceError("lock-lost", "Another has it."));
  delayed.move = async (...given) => {
    if (given[0] === "b") await clock.advance("20s");
    return move(...given);
  };
  const letIn: string[] = [];
  blocked.releaseJob = (queue, job, meant) => {
    letIn.push(job);
    return releaseJob(queue, job, meant);
  };
  await expect(runner.operations.run(id)).rejects.toMatchObject({ code: "lock-lost" });
  expect(letIn).toEqual([]);
  expect(await client.operations.run(id)).toMatchObject({ done: 2, failed: 0 });
  await clock.advance("1s");
  for (const job of ["a", "b"]) expect(await client.job(job)).toMatchObject({ state: "cancelled" });
});
