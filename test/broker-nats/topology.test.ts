import { AckPolicy, DiscardPolicy, RetentionPolicy } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { describeEachServer, describeServer } from "../harness/servers.ts";
import { CollectingWorker, jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";

describeEachServer("streams and consumers", (server) => {
  test("are made once by nodes that start at the same moment", async () => {
    const namespace = server.namespace();
    const nodes = await Promise.all(
      Array.from({ length: 4 }, () => connected({ servers: server.url, namespace })),
    );
    await Promise.all(nodes.map((node) => node.queues.ensure("q")));
    await Promise.all(nodes.map((node) => CollectingWorker.start(node, "q")));
    await Promise.all(nodes.map(async (node) => node.documents("settings")));
    expect((await nodes[0]?.queues.list())?.map(({ queue }) => queue)).toEqual(["q"]);
  });

  test("are what the design says", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure("q", { maxJobs: 9, dedupeWindowMs: 60_000 });
    await CollectingWorker.start(broker, "q", { leaseMs: 4_000 });
    await (await broker.moveDueJobs()).stop();
    const { jsm } = await administrator(server);
    const { config } = await jsm.streams.info(`${namespace}-queue-q`);
    expect(config).toMatchObject({
      retention: RetentionPolicy.Workqueue,
      discard: DiscardPolicy.New,
      max_msgs: 9,
      max_msg_size: 1_048_576 - 8_192,
      duplicate_window: 60_000 * 1e6,
      subjects: [
        ...["jobs.q", "jobs.q.high", "jobs.q.low"],
        ...["jobs.q.normal.*", "jobs.q.high.*", "jobs.q.low.*", "requeue.q.program"],
        ...["requeue.q", "requeue.q.high", "requeue.q.low", "requeue.q.woken"],
      ].map((subject) => `${namespace}.${subject}`),
    });
    const consumer = await jsm.consumers.info(`${namespace}-queue-q`, "workers");
    expect(consumer.config).toMatchObject({
      ack_policy: AckPolicy.Explicit,
      ack_wait: 4_000 * 1e6,
      max_deliver: -1,
    });
    expect(consumer.config.backoff).toBeUndefined();
    const filters = (...subjects: readonly string[]): readonly string[] =>
      subjects.map((subject) => `${namespace}.${subject}`);
    const lanes = ["workers-high", "workers", "workers-low"].map((name) =>
      jsm.consumers.info(`${namespace}-queue-q`, name),
    );
    expect((await Promise.all(lanes)).map(({ config: lane }) => lane)).toMatchObject([
      {
        filter_subjects: filters(
          ...["jobs.q.high", "jobs.q.high.*", "requeue.q.high", "requeue.q.woken"],
        ),
        ack_wait: 4_000 * 1e6,
      },
      {
        filter_subjects: filters(
          ...["jobs.q", "jobs.q.normal.*", "requeue.q", "requeue.q.program"],
        ),
      },
      {
        filter_subjects: filters("jobs.q.low", "jobs.q.low.*", "requeue.q.low"),
        ack_wait: 4_000 * 1e6,
      },
    ]);
    expect((await jsm.consumers.info(`${namespace}-delayed`, "mover")).config).toMatchObject({
      filter_subject: `${namespace}.due.>`,
      max_ack_pending: -1,
    });
  });

  test("keep the longest lease that was asked for, whoever comes last", async () => {
    const namespace = server.namespace();
    const [a, b] = [
      await connected({ servers: server.url, namespace }),
      await connected({ servers: server.url, namespace }),
    ];
    await a.queues.ensure("q");
    const { jsm } = await administrator(server);
    const leaseMs = async (): Promise<number> =>
      ((await jsm.consumers.info(`${namespace}-queue-q`, "workers")).config.ack_wait ?? 0) / 1e6;
    await CollectingWorker.start(a, "q", { leaseMs: 2_000 });
    await CollectingWorker.start(b, "q", { leaseMs: 5_000 });
    expect(await leaseMs()).toBe(5_000);
    await CollectingWorker.start(a, "q", { leaseMs: 2_000 });
    expect(await leaseMs()).toBe(5_000);
  });

  test("of an earlier version go on from 1; made anew no number comes a second time", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    const { jsm } = await administrator(server);
    const stream = `${namespace}-queue-q`;
    await broker.queues.ensure("q");
    const { config } = await jsm.streams.info(stream);
    await jsm.streams.delete(stream);
    await jsm.streams.add({ ...config, first_seq: 0 });
    await broker.queues.ensure("q", { maxJobs: 9 });
    const numbers: number[] = [];
    for (const _again of [1, 2, 3]) {
      const [stored] = await broker.enqueue([jobFor("q")]);
      numbers.push(stored?.ok === true ? stored.sequence : 0);
      await broker.queues.remove("q");
      await broker.queues.ensure("q");
    }
    expect(numbers[0]).toBe(1);
    expect(numbers[1]).toBeGreaterThanOrEqual(config.first_seq);
    expect(numbers[2]).toBeGreaterThan(numbers[1] as number);
    expect(numbers.every(Number.isSafeInteger)).toBe(true);
  });

  test("leave a stream alone that has the name and serves something else", async () => {
    const namespace = server.namespace();
    const { jsm } = await administrator(server);
    await jsm.streams.add({ name: `${namespace}-queue-q`, subjects: [`${namespace}.other`] });
    const broker = await connected({ servers: server.url, namespace });
    await expect(broker.queues.ensure("q")).rejects.toMatchObject({
      code: "jetstream-failed",
      message: expect.stringContaining("something else uses the name") as string,
    });
    expect((await jsm.streams.info(`${namespace}-queue-q`)).config.subjects).toEqual([
      `${namespace}.other`,
    ]);
    expect(await broker.queues.list()).toEqual([]);
  });

  test("come back when a worker's consumer was deleted", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure("q");
    const worker = await CollectingWorker.start(broker, "q", { leaseMs: 3_000 });
    // Asked again for an answer that died with a leader, a consumer is gone already.
    await server.calm();
    const { jsm } = await administrator(server);
    for (const name of ["workers", "workers-low"])
      await jsm.consumers.delete(`${namespace}-queue-q`, name);
    await broker.enqueue([jobFor("q"), jobFor("q", { lane: "low" })]);
    await worker.nth(2);
    expect((await jsm.consumers.info(`${namespace}-queue-q`, "workers")).config.ack_wait).toBe(
      3_000 * 1e6,
    );
  });
});

describeServer("a server without schedules", "2.10", (server) => {
  test("gets a delayed stream that does not ask for them", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    const mover = await broker.moveDueJobs();
    await mover.stop();
    const { config } = await (await administrator(server)).jsm.streams.info(`${namespace}-delayed`);
    expect([broker.features.schedules, config.allow_msg_schedules]).toEqual([false, undefined]);
  });
});
