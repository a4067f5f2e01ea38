import { MillraceError, UniqueClaims, UniqueKey } from "@millrace/core";
import { describe, expect, test } from "vitest";
import {
  latch,
  makeNode,
  QUEUE,
  simulatedNode,
  stopInTime,
} from "../../fixtures/simulated-node.ts";
import { key, scene } from "../../fixtures/unique-scene.ts";

describe("a producer that dies between claim and publish", () => {
  test("blocks its key for no longer than the lease", async () => {
    const made = await scene({ key });
    await made.dies(1);
    await made.clock.advance("9s");
    expect(await made.enqueue(2)).toMatchObject({ id: "v1", conflict: { kind: "kept" } });
    await made.clock.advance("1s");
    expect(await made.enqueue(3)).toMatchObject({ id: "v3", duplicate: false });
  });

  test("loses its key for good when its message comes after all", async () => {
    const made = await scene({ key });
    await made.dies(1);
    await made.clock.advance("10s");
    await made.enqueue(2);
    await made.publish(1);
    await made.node();
    expect(made.ran).toEqual([2]);
    expect(await made.ends(1)).toEqual([
      "cancelled: Its unique key was held by v2 when it was enqueued.",
    ]);
  });

  test("running: nor does it run by what its message says of its claim, though others do at the time", async () => {
    const made = await scene({ key, while: "running" });
    await made.dies(1);
    const claims = await made.broker.documents("unique");
    const claim = await claims.get(new UniqueKey(QUEUE, "a").document);
    await made.node();
    await made.clock.advance("10s");
    const holds = latch();
    made.runs((version) => (version === 2 ? holds.promise : "done"));
    await made.enqueue(2);
    // Both pass without a look: the claim that was read for the first tells of the second.
    await made.enqueue(7, { unique: { key: "b" } });
    await made.enqueue(8, { unique: { key: "c" } });
    await made.publish(1, { headers: { "millrace-claim": `${claim?.revision} running v1` } });
    expect(made.ran).toEqual([2, 7, 8]);
    expect(await made.ends(1)).toEqual(["cancelled: Its unique key is held by v2."]);
    holds.open();
  });

  test("does not cost the job that was to give way its run", async () => {
    const made = await scene({ key, onConflict: "replace" });
    await made.enqueue(1);
    await made.dies(2);
    await made.node();
    expect(made.ran).toEqual([]);
    await made.clock.advance("11s");
    expect(made.ran).toEqual([1]);
  });

  test("is not said to have replaced a job that gave way to one that came", async () => {
    const made = await scene({ key, onConflict: "replace" });
    await made.enqueue(1);
    await made.enqueue(2);
    await made.dies(3);
    await made.node();
    await made.clock.advance("15s");
    expect(made.ran).toEqual([2]);
    expect((await made.ends(1)).at(-1)).toMatch(/^cancelled: Replaced by v2,/);
  });

  test("and a foreign job waits until it is known, then runs", async () => {
    const made = await scene({ key });
    await made.dies(1);
    await made.node();
    await made.publish(2);
    expect(made.ran).toEqual([]);
    await made.clock.advance("11s");
    expect(made.ran).toEqual([2]);
  });

  test("a publish that was refused gives the key back at once, and to whom it was taken from", async () => {
    const made = await scene({ key, onConflict: "replace" });
    made.broker.failNext("enqueue", new MillraceError("queue-full", "full"));
    await expect(made.enqueue(1)).rejects.toMatchObject({ code: "queue-full" });
    expect(await made.enqueue(2)).not.toHaveProperty("conflict");
    made.broker.failNext("enqueue", new MillraceError("queue-full", "full"));
    await expect(made.enqueue(3)).rejects.toMatchObject({ code: "queue-full" });
    await made.node();
    expect(made.ran).toEqual([2]);
  });

  test("a publish that was refused leaves a free key as free as it was, and as long", async () => {
    const made = await scene({ key });
    const claims = await made.broker.documents("unique");
    await made.publish(1);
    await made.clock.advance("1s");
    await claims.put(new UniqueKey(QUEUE, "a").document, { id: "v0", state: "freed" }, 0);
    await made.clock.advance("1s");
    await made.publish(2);
    await made.clock.advance("1s");
    made.broker.failNext("enqueue", new MillraceError("queue-full", "full"));
    await expect(made.enqueue(3)).rejects.toMatchObject({ code: "queue-full" });
    await made.node(1);
    expect(made.ran).toEqual([2]);
    expect(await made.ends(1)).toEqual([
      "cancelled: Its unique key was held by v0 when it was enqueued.",
    ]);
  });

  test("a job that waits for longer than the lease keeps its key, and its queue is read through once", async () => {
    const made = await scene({ key });
    await made.enqueue(1);
    await made.clock.advance("1m");
    let looks = 0;
    const find = made.broker.findWaiting.bind(made.broker);
    made.broker.findWaiting = (...args) => {
      looks += 1;
      return find(...args);
    };
    for (let version = 2; version <= 6; version += 1)
      expect(await made.enqueue(version)).toMatchObject({ id: "v1", duplicate: true });
    expect(looks).toBe(1);
  });

  test("a job that was purged after it was seen frees its key in the end", async () => {
    const made = await scene({ key });
    await made.enqueue(1);
    await made.clock.advance("1m");
    expect(await made.enqueue(2)).toMatchObject({ id: "v1" });
    await made.broker.queues.remove(QUEUE);
    await made.broker.queues.ensure(QUEUE);
    await made.clock.advance("4m");
    expect(await made.enqueue(3)).toMatchObject({ id: "v1" });
    await made.clock.advance("1m");
    expect(await made.enqueue(4)).toMatchObject({ id: "v4", duplicate: false });
  });
});

describe("crashes of nodes", () => {
  test("pending: a job whose holder died in its run runs again, though its key is another's by now", async () => {
    const { enqueue, clock, server, job, ran, node } = await scene({ key });
    const first = makeNode({
      jobs: [job.handler(() => latch().promise)],
      clock,
      server,
      name: "n0",
    });
    await first.node.start();
    await enqueue(1);
    first.broker.crashHolder();
    await enqueue(2);
    await node();
    await clock.advance("31s");
    expect(ran.toSorted()).toEqual([1, 2]);
    await stopInTime(first.node, clock);
  });

  test("replace: a job that had given way does not come back with its holder's crash", async () => {
    const { enqueue, clock, server, job, ran, node } = await scene({ key, onConflict: "replace" });
    const first = makeNode({ jobs: [job.handler(() => "done")], clock, server, name: "n0" });
    await first.node.start();
    // The node is frozen at the gate: the job is in its hands and has not started.
    first.broker.documents = () => new Promise(() => {});
    await enqueue(1);
    first.broker.crashHolder();
    await enqueue(2);
    await node();
    await clock.advance("31s");
    expect(ran).toEqual([2]);
    await stopInTime(first.node, clock);
  });

  test.each(["has run", "was buried"])(
    "replace: nor where its successor %s, and the key is another's since",
    async (end) => {
      const { enqueue, clock, server, job, ran, node, ends } = await scene({
        ...{ key, onConflict: "replace" },
      });
      const first = makeNode({ jobs: [job.handler(() => "done")], clock, server, name: "n0" });
      await first.node.start();
      first.broker.documents = () => new Promise(() => {});
      await enqueue(1);
      first.broker.crashHolder();
      const jobs = [job.handler(({ input }) => void ran.push(input.version))];
      await simulatedNode({ jobs, clock, server, name: "n2", maxParked: 0 });
      await enqueue(2, end === "has run" ? {} : { delay: "1h" });
      expect((await ends(2)).at(-1)).toMatch(end === "has run" ? "succeeded" : "dead: parked-full");
      await enqueue(3);
      await node();
      await clock.advance("31s");
      expect(ran).toEqual(end === "has run" ? [2, 3] : [3]);
      expect((await ends(1)).at(-1)).toMatch(/^cancelled: Replaced by v2,/);
      await stopInTime(first.node, clock);
    },
  );

  test("replace: a job for later that was given a later time is not let through at its first", async () => {
    const { enqueue, clock, server, job, ran, node, broker } = await scene({
      ...{ key, onConflict: "replace" },
    });
    const jobs = [job.handler(() => "done")];
    const first = makeNode({ jobs, clock, server, name: "n0", slots: 1 });
    await first.node.start();
    first.broker.documents = () => new Promise(() => {});
    await enqueue(1);
    await node();
    await clock.advance("2s");
    await enqueue(2, { delay: "5m" });
    await clock.advance("1s");
    expect(await broker.delayed.move("v2", QUEUE, clock.now() + 6 * 3_600_000)).toBe(true);
    await clock.advance("6m");
    // The first comes again, and gives way once more.
    first.broker.crashHolder();
    await clock.advance("1m");
    expect(await enqueue(3)).toMatchObject({ conflict: { kind: "replaced", id: "v2" } });
    await clock.advance("6h");
    expect(ran).toEqual([3]);
    await stopInTime(first.node, clock);
  });

  test("running: the end is freed by whoever recalls the job", async () => {
    const { enqueue, clock, server, job, node } = await scene({ key, while: "running" });
    const first = makeNode({ jobs: [job.handler(() => "done")], clock, server, name: "n0" });
    await first.node.start();
    first.broker.failNext("ack", new MillraceError("publish-timeout", "no answer"));
    await enqueue(1);
    first.broker.crashHolder();
    await node();
    await clock.advance("31s");
    expect(await enqueue(2)).toMatchObject({ id: "v2", duplicate: false });
    await stopInTime(first.node, clock);
  });

  test("running: whoever recalls a life that is over frees no key of the next one", async () => {
    const { enqueue, clock, server, job, node, broker } = await scene({ key, while: "running" });
    const first = makeNode({ jobs: [job.handler(() => "done")], clock, server, name: "n0" });
    await first.node.start();
    first.broker.failNext("ack", new MillraceError("publish-timeout", "no answer"));
    await enqueue(1);
    const claims = new UniqueClaims(broker);
    const name = new UniqueKey(QUEUE, "a");
    const over = await claims.read(name);
    const next = { id: "v1", state: "claimed", while: "running", generation: 2_048 } as const;
    await claims.write(name, next, over?.revision ?? 0);
    first.broker.crashHolder();
    const { broker: second } = await node();
    await clock.advance("31s");
    expect(await second.queues.snapshot(QUEUE)).toMatchObject({ queued: 0, running: 0 });
    expect((await claims.read(name))?.claim).toEqual(next);
    await stopInTime(first.node, clock);
  });
});

test("a job that came with a copy of another's headers is judged by the claim itself", async () => {
  const { enqueue, publish, node, runs, ran, ends, broker } = await scene({
    key,
    while: "running",
  });
  await node();
  const notes: string[] = [];
  const publishes = broker.enqueue.bind(broker);
  broker.enqueue = (jobs) => {
    for (const { headers } of jobs) notes.push(headers["millrace-claim"] ?? "");
    return publishes(jobs);
  };
  const holds = latch();
  runs(() => holds.promise);
  await enqueue(7, { unique: { key: "b" } });
  await enqueue(1);
  expect(notes.at(-1)).toMatch(/^\d+ running v1$/);
  for (const [version, note] of [
    [2, notes.at(-1)],
    [3, notes.at(-1)?.replace("v1", "v3x")],
    [4, notes.at(-1)?.replace("running", "sleeping")],
    [5, "NaN running v5"],
    [6, "99999999999999999999 running v6"],
  ] as const)
    await publish(version, { headers: { "millrace-claim": note ?? "" } });
  expect(ran).toEqual([7, 1]);
  expect(await ends(6)).toEqual(["cancelled: Its unique key is held by v1."]);
  holds.open();
});
