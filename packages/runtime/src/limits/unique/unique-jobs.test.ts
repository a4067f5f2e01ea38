import { type EnqueueOptions, MillraceError } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { latch, QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";
import { key, scene } from "../../fixtures/unique-scene.ts";

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

  test("running: nor is it freed by the record of an earlier job of its id", async () => {
    const { enqueue, node, ran, runs, clock } = await scene({ key, while: "running" });
    await node();
    let open = (): void => {};
    runs(() => new Promise<void>((resolve) => (open = resolve)));
    await enqueue(1);
    await clock.advance("110s");
    open();
    await clock.advance("20s");
    // The server has forgotten the id by now, and the job ended a moment ago.
    expect(await enqueue(1, { once: false })).toMatchObject({ id: "v1", duplicate: false });
    expect(ran).toEqual([1, 1]);
    expect(await enqueue(2)).toMatchObject({ id: "v1", conflict: { kind: "kept" } });
    open();
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
    const { clock, enqueue, node, ran } = await scene({ key });
    await enqueue(1);
    expect(await enqueue(1)).toEqual({
      ok: true,
      id: "v1",
      queue: QUEUE,
      duplicate: true,
      onRecordSince: clock.now(),
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
      const again = (): Promise<unknown> => enqueue(1, { once: false });
      expect(await again()).toEqual({ ok: true, id: "v1", queue: QUEUE, duplicate: true });
      expect(await broker.queues.snapshot(QUEUE)).toMatchObject({ queued: 0 });
      await clock.advance("1h");
      expect(ran).toEqual([1]);
      // Its job has ended, and with it what the key was good for.
      expect(await again()).toMatchObject({ id: "v1", duplicate: false });
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
