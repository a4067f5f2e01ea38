import { type EnqueueOptions, MillraceError, UniqueClaims, UniqueKey } from "@millrace/core";
import { describe, expect, test } from "vitest";
import {
  latch,
  makeNode,
  QUEUE,
  simulatedNode,
  stopInTime,
} from "../../fixtures/simulated-node.ts";
import { key, scene, type Unique } from "../../fixtures/unique-scene.ts";

describe("a producer that meets a held key", () => {
  test("keeps: nothing is published, and it learns the holder's id", async () => {
    const { enqueue, node, ran, broker } = await scene({ key });
    expect(await enqueue(1)).toMatchObject({ id: "v1", duplicate: false });
    expect(await enqueue(2)).toEqual({
      ok: true,
      id: "v1",
      queue: QUEUE,
      duplicate: true,
      conflict: { kind: "kept", key: "a" },
    });
    expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 1 });
    await node();
    expect(ran).toEqual([1]);
  });

  test("replaces: the older job gives way when a node meets it, and says to whom", async () => {
    const { enqueue, node, ran, ends } = await scene({ key, onConflict: "replace" });
    await enqueue(1);
    expect(await enqueue(2)).toMatchObject({
      id: "v2",
      duplicate: false,
      conflict: { kind: "replaced", key: "a", id: "v1" },
    });
    await enqueue(3);
    await node();
    expect(ran).toEqual([3]);
    expect(await ends(1)).toEqual([
      "cancelled: Replaced by v3, which was enqueued later with the same unique key.",
    ]);
    expect(await ends(2)).toEqual([
      "cancelled: Replaced by v3, which was enqueued later with the same unique key.",
    ]);
  });

  test("debounces: of many in a row the last runs, once they have ceased", async () => {
    const { enqueue, node, ran, clock } = await scene({ key, onConflict: { debounce: "2s" } });
    await node();
    for (let version = 1; version <= 20; version += 1) {
      await enqueue(version);
      await clock.advance("500ms");
    }
    expect(ran).toEqual([]);
    await clock.advance("1400ms");
    expect(ran).toEqual([]);
    await clock.advance("200ms");
    expect(ran).toEqual([20]);
    await clock.advance("1m");
    expect(ran).toEqual([20]);
  });

  test("is told the same in bulk, in the order given", async () => {
    const { producer, job, node, ran, broker } = await scene({ key });
    const results = await producer.enqueueMany(
      job,
      [1, 2, 3].map((version) => ({
        id: `v${version}`,
        input: { doc: version === 3 ? "b" : "a", version },
      })),
    );
    expect(results).toMatchObject([
      { ok: true, id: "v1", duplicate: false },
      { ok: true, id: "v1", duplicate: true, conflict: { kind: "kept" } },
      { ok: true, id: "v3", duplicate: false },
    ]);
    expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 2 });
    await node();
    expect(ran).toEqual([1, 3]);
  });

  test("repeats its own enqueue without meeting itself", async () => {
    const { enqueue, node, ran } = await scene({ key });
    await enqueue(1);
    expect(await enqueue(1)).toEqual({
      ok: true,
      id: "v1",
      queue: QUEUE,
      sequence: 1,
      duplicate: true,
    });
    await node();
    expect(ran).toEqual([1]);
  });
});

describe("an id that is used again once its queue has forgotten it", () => {
  for (const onConflict of ["keep", "replace", { debounce: "2s" }] as const)
    test(`publishes nothing while its job holds the key: ${JSON.stringify(onConflict)}`, async () => {
      const { enqueue, node, ran, broker, clock } = await scene({
        ...{ key, while: "running", onConflict },
      });
      await enqueue(1, { delay: "1h" });
      await node();
      await clock.advance("10m");
      expect(await enqueue(1)).toEqual({ ok: true, id: "v1", queue: QUEUE, duplicate: true });
      expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0 });
      await clock.advance("1h");
      expect(ran).toEqual([1]);
      // Its job has ended, and with it what the key was good for.
      expect(await enqueue(1)).toMatchObject({ id: "v1", duplicate: false });
    });

  test("publishes a job again whose message never came", async () => {
    const { enqueue, node, ran, broker, clock } = await scene({ key, while: "running" });
    broker.failNext("enqueue", new MillraceError("publish-timeout", "no answer"));
    await expect(enqueue(1)).rejects.toMatchObject({ code: "publish-timeout" });
    await clock.advance("10m");
    expect(await enqueue(1)).toMatchObject({ id: "v1", duplicate: false });
    await node();
    expect(ran).toEqual([1]);
  });
});

describe("a key is free", () => {
  test("pending: once its job has started, while it runs and while it is retried", async () => {
    const { enqueue, node, ran, runs, clock } = await scene({ key });
    const hang = latch();
    runs((version, attempt) => {
      if (version === 1 && attempt === 1) throw new Error("once more");
      return version === 1 ? hang.promise : "done";
    });
    await node();
    await enqueue(1);
    expect(ran).toEqual([1]);
    expect(await enqueue(2)).toMatchObject({ id: "v2", duplicate: false });
    await clock.advance("11s");
    expect(ran).toEqual([1, 2, 1]);
    expect(await enqueue(3)).toMatchObject({ id: "v3", duplicate: false });
    expect(ran).toEqual([1, 2, 1, 3]);
    hang.open();
  });

  test.each([
    ["succeeded", () => "done"],
    [
      "dead",
      () => {
        throw new MillraceError("fatal", "no more");
      },
    ],
  ])("running: once its job has %s, and not while it is retried", async (end, work) => {
    const { enqueue, node, runs, clock, ends } = await scene({ key, while: "running" });
    const hang = latch();
    runs(() => hang.promise);
    await node();
    await enqueue(1);
    expect(await enqueue(2)).toMatchObject({ id: "v1", duplicate: true });
    await clock.advance("1h");
    runs(work);
    hang.fail(new Error("not yet"));
    await clock.advance("5s");
    expect(await enqueue(3)).toMatchObject({ id: "v1", duplicate: true });
    await clock.advance("6s");
    expect((await ends(1)).at(-1)).toMatch(new RegExp(`^${end}`));
    expect(await enqueue(4)).toMatchObject({ id: "v4", duplicate: false });
  });

  test.each<[string, EnqueueOptions, string]>([
    ["expired before it could start", { expiresIn: "1s" }, "expired: expired"],
  ])("after its job has %s", async (_what, options, end) => {
    const { enqueue, node, clock, ends, ran } = await scene({ key, while: "running" });
    await enqueue(1, options);
    await clock.advance("2s");
    await node();
    expect(await ends(1)).toEqual([end]);
    expect(await enqueue(2)).toMatchObject({ id: "v2", duplicate: false });
    expect(ran).toEqual([2]);
  });

  test("window: when its time is over, whatever becomes of the job", async () => {
    const { enqueue, node, ran, clock } = await scene({ key, while: { window: "1m" } });
    await node();
    await enqueue(1);
    await clock.advance("59s");
    expect(await enqueue(2)).toMatchObject({ id: "v1", duplicate: true });
    await clock.advance("1s");
    expect(await enqueue(3)).toMatchObject({ id: "v3", duplicate: false });
    expect(ran).toEqual([1, 3]);
  });

  test("at once for whoever has seen the job's record, though the release is still to come", async () => {
    const { enqueue, clock, server, job } = await scene({ key, while: "running" });
    const first = await simulatedNode({ jobs: [job.handler(() => "done")], clock, server });
    // The end is on record; the node comes no further.
    const { documents } = first.broker;
    first.broker.documents = async (bucket) =>
      (await first.broker.history.read({ id: "v1" })).length > 0
        ? new Promise(() => {})
        : documents.call(first.broker, bucket);
    await enqueue(1);
    expect(await enqueue(2)).toMatchObject({ id: "v2", duplicate: false });
    first.broker.documents = documents;
  });
});

describe("producers that only set uniqueKey", () => {
  test.each<[string, Unique | undefined]>([
    ["without a rule", undefined],
    ["until the start", { key, while: "pending" }],
    ["until the end", { key, while: "running" }],
    ["for a window", { key, while: { window: "1h" } }],
  ])(
    "%s: what was published while another held the key is cancelled, whenever it is met",
    async (_what, unique) => {
      const { publish, node, ran, ends } = await scene(unique);
      for (let version = 1; version <= 5; version += 1) await publish(version);
      await node(1);
      expect(ran).toEqual([1]);
      for (let version = 2; version <= 5; version += 1)
        expect(await ends(version)).toEqual([expect.stringMatching(/^cancelled: .*held by v1/)]);
    },
  );

  test("a key the node computes from the payload counts as well", async () => {
    const { publish, node, ran } = await scene({ key });
    for (let version = 1; version <= 3; version += 1)
      await publish(version, { uniqueKey: undefined });
    await node();
    expect(ran).toEqual([1]);
  });

  test("one that comes when the key is free runs", async () => {
    const { publish, node, ran, clock } = await scene({ key });
    await node();
    await publish(1);
    await clock.advance(1);
    await publish(2);
    expect(ran).toEqual([1, 2]);
  });

  test("replace: the latest of those that wait runs, though the first was met before it", async () => {
    const { publish, node, ran, clock, runs } = await scene({ key, onConflict: "replace" });
    const hang = latch();
    runs((version) => (version === 1 ? hang.promise : "done"));
    await node(1);
    await publish(1);
    for (let version = 2; version <= 4; version += 1) {
      await clock.advance(1);
      await publish(version, { notBefore: clock.now() + 10_000 });
    }
    hang.open();
    await clock.advance("1m");
    expect(ran).toEqual([1, 4]);
  });

  test("debounce: of many in a row the last runs", async () => {
    const { publish, node, ran, clock } = await scene({ key, onConflict: { debounce: "2s" } });
    await node();
    for (let version = 1; version <= 20; version += 1) {
      await publish(version);
      await clock.advance("500ms");
    }
    expect(ran).toEqual([]);
    await clock.advance("1m");
    expect(ran).toEqual([20]);
  });

  test("debounce: of many in one millisecond the last runs, in whatever order they are met", async () => {
    const { publish, node, ran, clock } = await scene({ key, onConflict: { debounce: "2s" } });
    for (let version = 1; version <= 10; version += 1) await publish(version);
    await node();
    await clock.advance("1m");
    expect(ran).toEqual([10]);
  });

  test("a job for later holds its key from the first look on", async () => {
    const { publish, enqueue, node, ran, clock } = await scene({ key });
    await node();
    await publish(1, { notBefore: clock.now() + 60_000 });
    expect(await enqueue(2)).toMatchObject({ id: "v1", duplicate: true });
    await clock.advance("1m");
    expect(ran).toEqual([1]);
  });

  test("of two with a claimed one among them, the claimed one runs", async () => {
    const { publish, enqueue, node, ran } = await scene({ key });
    await publish(1);
    await enqueue(2);
    await publish(3);
    await node();
    expect(ran).toEqual([2]);
  });
});

describe("a producer that dies between claim and publish", () => {
  /** Its claim is written, its job is not published. */
  const died = async (made: Awaited<ReturnType<typeof scene>>, version: number) => {
    made.broker.failNext("enqueue", new MillraceError("publish-timeout", "no answer"));
    await expect(made.enqueue(version)).rejects.toMatchObject({ code: "publish-timeout" });
  };

  test("blocks its key for no longer than the lease", async () => {
    const made = await scene({ key });
    await died(made, 1);
    await made.clock.advance("9s");
    expect(await made.enqueue(2)).toMatchObject({ id: "v1", conflict: { kind: "kept" } });
    await made.clock.advance("1s");
    expect(await made.enqueue(3)).toMatchObject({ id: "v3", duplicate: false });
  });

  test("loses its key for good when its message comes after all", async () => {
    const made = await scene({ key });
    await died(made, 1);
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
    await died(made, 1);
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
    await died(made, 2);
    await made.node();
    expect(made.ran).toEqual([]);
    await made.clock.advance("11s");
    expect(made.ran).toEqual([1]);
  });

  test("and a foreign job waits until it is known, then runs", async () => {
    const made = await scene({ key });
    await died(made, 1);
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

test("an enqueue that is tried again says nothing of the claim: its job may have run by then", async () => {
  const { enqueue, broker } = await scene({ key, while: "running" });
  const notes: (string | undefined)[] = [];
  const publishes = broker.enqueue.bind(broker);
  broker.enqueue = (jobs) => {
    for (const { headers } of jobs) notes.push(headers["millrace-claim"]);
    return publishes(jobs);
  };
  broker.failNext("enqueue", new MillraceError("publish-timeout", "no answer"));
  await expect(enqueue(1)).rejects.toMatchObject({ code: "publish-timeout" });
  expect(await enqueue(1)).toMatchObject({ ok: true });
  expect(notes).toEqual([expect.stringMatching(/^\d+ running v1$/), undefined]);
});

describe("replace and jobs that run", () => {
  test("a job that runs is not replaced: nothing is published, and its id is given back", async () => {
    const { enqueue, node, runs, ran } = await scene({
      key,
      while: "running",
      onConflict: "replace",
    });
    const hang = latch();
    runs(() => hang.promise);
    await node();
    await enqueue(1);
    expect(await enqueue(2)).toMatchObject({ id: "v1", conflict: { kind: "kept" } });
    expect(ran).toEqual([1]);
    hang.open();
  });
});

test("a job without a key costs no look at the claims", async () => {
  const { publish, node, server, ran } = await scene(undefined);
  await node();
  await publish(1, { uniqueKey: undefined });
  expect(ran).toEqual([1]);
  expect([...server.buckets.keys()]).not.toContain("unique");
});

test.each([
  ["pending", "one server", [0, 3]],
  ["running", "one server", [1, 3]],
  ["running", "a cluster, whose members may die behind a node's back", [3, 3]],
] as const)(
  "while %s, on %s: three claimed jobs cost their node this many reads and writes",
  async (during, where, costs) => {
    const { enqueue, node, ran } = await scene({ key, while: during });
    const { broker } = await node();
    Object.defineProperty(broker, "solitary", { value: where === "one server" });
    const cost = [0, 0];
    const open = broker.documents.bind(broker);
    broker.documents = async (bucket) => {
      const documents = await open(bucket);
      const { get, put } = documents;
      if (bucket === "unique") {
        documents.get = (...args) => ((cost[0] = (cost[0] ?? 0) + 1), get.apply(documents, args));
        documents.put = (...args) => ((cost[1] = (cost[1] ?? 0) + 1), put.apply(documents, args));
      }
      return documents;
    };
    for (const version of [1, 2, 3]) await enqueue(version, { unique: { key: `${version}` } });
    expect(ran).toEqual([1, 2, 3]);
    expect(cost).toEqual(costs);
    expect(await enqueue(4, { unique: { key: "3" } })).toMatchObject({ duplicate: false });
  },
);

test("claims that say nothing any more are swept, by one node", async () => {
  const { enqueue, node, server, clock } = await scene({ key, while: { window: "1m" } });
  await node();
  await enqueue(1);
  await clock.advance("9m");
  expect(server.bucket("unique").list()).toHaveLength(1);
  await clock.advance("10m");
  expect(server.bucket("unique").list()).toHaveLength(0);
});
