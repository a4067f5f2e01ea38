import type { NatsBroker } from "@millrace/broker-nats";
import { launchServer } from "@millrace/nats-server";
import type { Envelope, Logger } from "@millrace/core";
import { connect } from "@nats-io/transport-node";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { administrator, patientManager } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer, serversUnderTest } from "../harness/servers.ts";
import { CollectingWorker, jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";

/** Enqueues the jobs, and settles each as deferred to its time. */
async function delay(
  broker: NatsBroker,
  worker: CollectingWorker,
  jobs: readonly Envelope[],
  dueAt: (index: number) => number,
): Promise<void> {
  /** What was delayed before may come meanwhile. */
  const ids = new Set(jobs.map(({ id }) => id));
  const arrived = () => worker.got.filter(({ envelope }) => ids.has(envelope.id));
  await broker.enqueue(jobs);
  while (arrived().length < jobs.length) await worker.nth(worker.got.length + 1);
  await Promise.all(
    arrived().map(({ delivery, envelope }) => {
      const next = {
        ...envelope,
        generation: 1,
        notBefore: dueAt(jobs.findIndex(({ id }) => id === envelope.id)),
      };
      return broker.settle(delivery, [{ do: "requeue", envelope: next }, { do: "ack" }]);
    }),
  );
}

/** Other warnings may come before: of an election, for one. */
function capturing(code: string): { logger: Logger; warned: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const logger: Logger = {
    debug: () => {},
    info: () => {},
    error: () => {},
    warn: (fields) => {
      if ((fields as { error?: { type?: string } }).error?.type === code) resolve();
    },
    child: () => logger,
  };
  return { logger, warned: promise };
}

/** From a delayed job's time to its delivery: the mover's timer, its publish, and the delivery. */
const MOVE_STEPS = 10;

/** How long the server takes to answer, asked again and again. */
async function answersMs(broker: NatsBroker, isOver: () => boolean): Promise<number[]> {
  const took: number[] = [];
  while (!isOver()) {
    const from = performance.now();
    await broker.ping();
    took.push(performance.now() - from);
    await pause(20);
  }
  return took;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

describeEachServer("delayed jobs", (server) => {
  test("come in their order, none early and none much late, whether the wait is short or long enough for the server to take it", async () => {
    const broker = await connected({ servers: server.url, namespace: server.namespace() });
    await broker.queues.ensure("q");
    // It measures lateness, and an election stops everything for seconds; a pull that dies in one
    // is made again later still.
    await server.calm();
    const worker = await CollectingWorker.start(broker, "q");
    const mover = await broker.moveDueJobs();
    cleanUpLater(() => mover.stop());
    const start = Date.now() + 300;
    const jobs = Array.from({ length: 20 }, () => jobFor("q"));
    const dueAt = (index: number): number => start + index * 100;
    await delay(broker, worker, jobs, dueAt);
    let isOver = false;
    const answers = answersMs(broker, () => isOver);
    await worker.nth(40);
    isOver = true;
    const moved = worker.got.slice(20);
    const lateMs = moved.map(
      ({ at, envelope }) => at - dueAt(jobs.findIndex(({ id }) => id === envelope.id)),
    );
    expect(moved.map(({ envelope }) => envelope.id)).toEqual(jobs.map(({ id }) => id));
    expect(Math.min(...lateMs)).toBeGreaterThanOrEqual(0);
    // What this rules out is the server's own lateness of a quarter of a second. A busy machine
    // takes as many times as long for a move as for an answer.
    const answerMs = median(await answers);
    expect(median(lateMs)).toBeLessThan(100 + MOVE_STEPS * answerMs);
  });

  test("go on when their mover is stopped: what it held goes to another one at once", async () => {
    const broker = await connected({ servers: server.url, namespace: server.namespace() });
    await broker.queues.ensure("q");
    const worker = await CollectingWorker.start(broker, "q");
    const first = await broker.moveDueJobs();
    await delay(broker, worker, [jobFor("q")], () => Date.now() + 600);
    await first.stop();
    const second = await broker.moveDueJobs();
    cleanUpLater(() => second.stop());
    await worker.nth(2, 20_000);
    await eventually(async () => (await broker.queues.snapshot("q")).delayed === 0, {
      withinMs: 20_000,
      describe: "no delayed job left",
    });
  });

  test("wait on while their queue is full, and arrive once there is room", async () => {
    const at = { servers: server.url, namespace: server.namespace() };
    const broker = await connected(at);
    await broker.queues.ensure("q", { maxJobs: 2 });
    const worker = await CollectingWorker.start(broker, "q", { slots: 1_000 });
    // An ack that dies with a leader makes no room, and its job comes again.
    await server.calm();
    await delay(broker, worker, [jobFor("q")], () => Date.now() + 200);
    await eventually(async () => (await broker.queues.snapshot("q")).running === 0, {
      withinMs: 20_000,
      describe: "an empty queue",
    });
    await broker.enqueue([jobFor("q"), jobFor("q")]);
    await worker.nth(3);
    const blocking = worker.got[1] as (typeof worker.got)[number];
    const { logger, warned } = capturing("queue-full");
    const moving = await connected({ ...at, logger });
    const mover = await moving.moveDueJobs();
    cleanUpLater(() => mover.stop());
    await within(warned, 20_000, "the mover to meet the full queue");
    expect((await broker.queues.snapshot("q")).delayed).toBe(1);
    await broker.settle(blocking.delivery, [{ do: "ack" }]);
    expect((await worker.nth(4)).envelope.generation).toBe(1);
  });
});

describeEachServer("a delayed job whose queue is deleted behind our back", (server) => {
  test("is kept, and the log says so", async () => {
    const at = { servers: server.url, namespace: server.namespace() };
    const { logger, warned } = capturing("queue-not-found");
    const broker = await connected({ ...at, logger });
    await broker.queues.ensure("q");
    const worker = await CollectingWorker.start(broker, "q");
    await delay(broker, worker, [jobFor("q")], () => Date.now() + 900);
    await worker.subscription?.stop();
    const { jsm } = await administrator(server);
    // Asked again for an answer that died with a leader, the stream is gone already.
    await server.calm();
    await jsm.streams.delete(`${at.namespace}-queue-q`);
    const mover = await broker.moveDueJobs();
    cleanUpLater(() => mover.stop());
    await within(warned, 20_000, "a warning that the queue is not found");
    expect((await jsm.streams.info(`${at.namespace}-delayed`)).state.messages).toBe(1);
  });
});

describe("the upgrade of a server from 2.10", () => {
  test("keeps postponed jobs, and schedules new ones, while the same node stays connected", async ({
    skip,
  }) => {
    const [old, newest] = ["2.10", "newest"].map((generation) =>
      serversUnderTest().find((server) => server.generation === generation),
    );
    if (old?.state !== "present" || newest?.state !== "present")
      return skip("it takes both server generations");
    const storeDir = await mkdtemp(join(tmpdir(), "millrace-upgrade-"));
    cleanUpLater(() => rm(storeDir, { recursive: true, force: true }));
    const before = await launchServer({ path: old.path, storeDir });
    cleanUpLater(() => before.dispose());
    const broker = await connected({ servers: before.url, reconnectWaitMs: 50 });
    await broker.queues.ensure("q");
    const worker = await CollectingWorker.start(broker, "q");
    const mover = await broker.moveDueJobs();
    cleanUpLater(() => mover.stop());
    const due = Date.now() + 4_000;
    await delay(broker, worker, [jobFor("q")], () => due);

    const back = Promise.withResolvers<void>();
    broker.onStatus((status) => void (status === "connected" && back.resolve()));
    await before.stop();
    const after = await launchServer({ path: newest.path, storeDir, port: before.port });
    cleanUpLater(() => after.dispose());
    await within(back.promise, 20_000, "the reconnect");
    expect(broker.features.schedules).toBe(true);
    const nc = await connect({ servers: after.url });
    cleanUpLater(() => nc.close());
    const jsm = await patientManager(nc);
    await eventually(
      async () => (await jsm.streams.info("millrace-delayed")).config.allow_msg_schedules,
      { withinMs: 20_000, describe: "the stream to allow schedules" },
    );

    let jobs = 1;
    // The stream takes schedules a moment before the broker hears so, and until then it postpones.
    await eventually(
      async () => {
        jobs += 1;
        await delay(broker, worker, [jobFor("q")], () => Date.now() + 4_000);
        const { state } = await jsm.streams.info("millrace-delayed", {
          subjects_filter: "millrace.delayed.>",
        });
        return Object.keys(state.subjects ?? {}).length === 1;
      },
      { withinMs: 20_000, describe: "a delayed job that is one of the server's schedules" },
    );
    await worker.nth(2 * jobs);
    const delayed = worker.got.filter(({ envelope }) => envelope.generation === 1);
    expect(delayed.map(({ at, envelope }) => at >= (envelope.notBefore ?? Infinity))).toEqual(
      Array.from({ length: jobs }, () => true),
    );
  });
});
