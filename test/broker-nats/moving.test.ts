import { type Envelope, retryPolicy, settle } from "@millrace/core";
import type { NatsBroker } from "@millrace/broker-nats";
import { expect, test, vi } from "vitest";
import { moveDelayed } from "../../packages/broker-nats/src/delayed/move-delayed.ts";
import { ConfirmedPublisher } from "../../packages/broker-nats/src/publish/confirmed-publisher.ts";
import { sizeLimits } from "../../packages/broker-nats/src/topology/size-limits.ts";
import { Names } from "../../packages/broker-nats/src/topology/subjects.ts";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { clusterMode } from "../harness/cluster/mode.ts";
import { eventually, within } from "../harness/deadline.ts";
import { isPubAck, type NatsFrame } from "../harness/nats-frames.ts";
import { startProxy } from "../harness/proxy.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { type Collected, CollectingWorker, jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";

/**
 * Ids are forgotten at once: whatever comes twice is seen twice, and not swallowed as a duplicate.
 * Not in a cluster, where a mover whose answer a dying leader keeps sends again, as publishers do.
 */
const FORGETFUL = clusterMode() === undefined ? { dedupeWindowMs: 100 } : {};
const FAR_MS = 10 * 60_000;

async function delayed(
  broker: NatsBroker,
  dueInMs: number,
): Promise<Envelope & { notBefore: number }> {
  const job = { ...jobFor("q"), generation: 1, notBefore: Date.now() + dueInMs };
  await broker.requeue(job);
  return job;
}

async function mover(broker: NatsBroker): Promise<void> {
  const moving = await broker.moveDueJobs();
  cleanUpLater(() => moving.stop());
}

/** Settles as a node does that ran the job. */
async function succeed(broker: NatsBroker, { delivery, envelope }: Collected): Promise<void> {
  const { steps } = settle({
    envelope,
    message: delivery.message,
    deliveryCount: delivery.deliveryCount,
    from: "running",
    outcome: { kind: "succeeded", output: null },
    policy: retryPolicy({}),
    now: Date.now(),
    random: 0.5,
    node: "test",
  });
  await broker.settle(delivery, steps);
}

async function settledDown(broker: NatsBroker): Promise<void> {
  await eventually(async () => (await broker.delayed.count()) === 0, {
    withinMs: 20_000,
    describe: "no delayed job left",
  });
}

/** Its own confirmations, not those of the forward that may follow. */
function fromDelayedStream({ payload }: NatsFrame): boolean {
  return payload.toString("utf8").includes('-delayed"');
}

/** True the first time. */
function once(act: () => void): () => boolean {
  let done = false;
  return () => {
    if (done) return false;
    done = true;
    act();
    return true;
  };
}

describeEachServer("moving a delayed job", (server) => {
  const at = (
    url = server.url,
  ): { servers: string; namespace: string; reconnectWaitMs: number } => ({
    servers: url,
    namespace: server.namespace(),
    reconnectWaitMs: 20,
  });

  test("whose confirmation gets lost is repeated, and moves it once", async () => {
    const proxy = await startProxy(server.url);
    const where = at(proxy.url);
    const broker = await connected(where);
    await broker.queues.ensure("q", FORGETFUL);
    const job = await delayed(broker, FAR_MS);
    const worker = await CollectingWorker.start(broker, "q");
    await mover(broker);
    const heal = proxy.dropFromServer((frame) => isPubAck(frame) && fromDelayedStream(frame));
    const moved = broker.delayed.move(job.id, "q", job.notBefore + FAR_MS);
    await eventually(() => proxy.dropped > 0, { withinMs: 20_000, describe: "a dropped answer" });
    heal();
    expect(await within(moved, 20_000, "the move")).toBe(true);
    expect(await broker.delayed.list({ queue: "q" })).toMatchObject([
      { id: job.id, notBefore: job.notBefore + FAR_MS },
    ]);
    expect(await broker.delayed.move(job.id, "q", "now")).toBe(true);
    await worker.nth(1);
    await settledDown(broker);
    expect(worker.got).toHaveLength(1);
  });

  test.each(["to the server", "from the server"])(
    "whose connection breaks at its write, on the way %s, leaves the job there once",
    async (direction) => {
      const proxy = await startProxy(server.url);
      const where = at();
      const broker = await connected(where);
      await broker.queues.ensure("q", FORGETFUL);
      const job = await delayed(broker, FAR_MS);
      const moving = await connected({ ...where, servers: proxy.url });
      const worker = await CollectingWorker.start(broker, "q");
      await mover(broker);
      const broken = Promise.withResolvers<void>();
      const cutOnce = once(() => {
        proxy.cut();
        broken.resolve();
      });
      if (direction === "to the server")
        proxy.dropToServer(
          ({ headers }) => headers.includes("Nats-Expected-Last-Subject-Sequence") && cutOnce(),
        );
      else
        proxy.dropFromServer((frame) => isPubAck(frame) && fromDelayedStream(frame) && cutOnce());
      // An election would outlast the time until then.
      await server.calm();
      const to = Date.now() + 6_000;
      const moved = moving.delayed.move(job.id, "q", to);
      await within(broken.promise, 20_000, "the break");
      const listed = await broker.delayed.list({ queue: "q" });
      // Lost on its way there, nothing has changed; lost on its way back, all is done.
      expect(listed.map(({ id, notBefore }) => [id, notBefore])).toEqual([
        [job.id, direction === "to the server" ? job.notBefore : to],
      ]);
      proxy.heal();
      expect(await within(moved, 20_000, "the move")).toBe(true);
      expect((await worker.nth(1)).at).toBeGreaterThanOrEqual(to);
      await settledDown(broker);
      expect(worker.got).toHaveLength(1);
    },
  );

  test("is not undone by a killed server", async () => {
    const broker = await connected(at());
    await broker.queues.ensure("q", FORGETFUL);
    const job = await delayed(broker, FAR_MS);
    const worker = await CollectingWorker.start(broker, "q");
    await mover(broker);
    const later = Date.now() + 4_000;
    expect(await broker.delayed.move(job.id, "q", later)).toBe(true);
    await server.kill();
    await server.restart();
    const { at: came } = await worker.nth(1, 30_000);
    expect(came).toBeGreaterThanOrEqual(later);
    await settledDown(broker);
    expect(worker.got).toHaveLength(1);
  });

  test("races with movers that are forwarding it: each job comes once, a moved one not before its new time", async () => {
    const where = at();
    const [a, b] = [await connected(where), await connected(where)];
    await a.queues.ensure("q", FORGETFUL);
    const worker = await CollectingWorker.start(a, "q");
    await Promise.all([mover(a), mover(b)]);
    // There a move of what is due soon gives up after a second.
    if (server.generation === "2.10") await server.calm();
    const jobs = await Promise.all(Array.from({ length: 120 }, (_, n) => delayed(a, 500 + n * 40)));
    const promised = new Map<string, number>();
    await Promise.all(
      jobs.map(async (job, n) => {
        // Around the moment when it can't be moved any more, and around its time itself.
        const when = job.notBefore - [2_050, 2_000, 1_900, 700, 500, 250, 10, 0][n % 8]!;
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, when - Date.now())));
        const to = n % 3 === 0 ? "now" : job.notBefore + 1_500;
        const moved = await (n % 2 === 0 ? a : b).delayed.move(job.id, "q", to);
        promised.set(job.id, moved ? (to === "now" ? 0 : to) : job.notBefore);
      }),
    );
    await worker.nth(jobs.length, 30_000);
    await settledDown(a);
    expect(worker.got.map(({ envelope }) => envelope.id).sort()).toEqual(
      jobs.map(({ id }) => id).sort(),
    );
    for (const { envelope, at: came } of worker.got)
      expect(came).toBeGreaterThanOrEqual(promised.get(envelope.id) ?? 0);
  });

  test.each([-3_600_000, 3_600_000])(
    "goes by the server's clock, where the caller's is %d ms off",
    async (offMs) => {
      const broker = await connected(at());
      await broker.queues.ensure("q", FORGETFUL);
      await server.calm();
      const soon = await delayed(broker, 1_500);
      const later = await delayed(broker, FAR_MS);
      const realNow = Date.now;
      const off = vi.spyOn(Date, "now").mockImplementation(() => realNow() + offMs);
      try {
        expect(await broker.delayed.move(soon.id, "q", soon.notBefore + FAR_MS)).toBe(false);
        expect(await broker.delayed.move(later.id, "q", "now")).toBe(true);
      } finally {
        off.mockRestore();
      }
      const [moved] = (await broker.delayed.list({ queue: "q" })).filter(
        ({ id }) => id === later.id,
      );
      // A schedule of the server may have brought it to its queue's door already.
      expect(Math.abs((moved?.notBefore ?? Date.now()) - Date.now())).toBeLessThan(10_000);
    },
  );

  test("by a server's word that is wrong, while a mover holds it, does not make it run twice", async () => {
    const where = at();
    const broker = await connected(where);
    await broker.queues.ensure("q", FORGETFUL);
    // An election outlasts its times, and a pull that dies in one is made again seconds later.
    await server.calm();
    const worker = await CollectingWorker.start(broker, "q");
    await mover(broker);
    // Ten seconds behind: it takes the job for one that can still be moved.
    const move = await moveByClock(server, where.namespace, -10_000);
    const job = await delayed(broker, 700);
    expect(await broker.delayed.move(job.id, "q", job.notBefore + 1_500)).toBe(false);
    expect(await move(job, job.notBefore + 1_500)).toBe(true);
    await succeed(broker, await worker.nth(1));
    const [stray] = await broker.delayed.list({ queue: "q" });
    expect(stray).toMatchObject({ id: job.id, notBefore: job.notBefore + 1_500 });
    await settledDown(broker);
    expect(Date.now()).toBeGreaterThanOrEqual(job.notBefore + 1_500);
    expect(worker.got).toHaveLength(1);
  });

  test("of an id that had an earlier life is not taken for one that has run", async () => {
    const broker = await connected(at());
    await broker.queues.ensure("q", FORGETFUL);
    const worker = await CollectingWorker.start(broker, "q");
    await mover(broker);
    const earlier = { ...jobFor("q"), generation: 1 };
    await broker.requeue(earlier);
    await succeed(broker, await worker.nth(1));
    await broker.requeue({ ...earlier, generation: 2, notBefore: Date.now() + FAR_MS });
    await broker.history.read({ id: earlier.id });
    expect(await broker.delayed.move(earlier.id, "q", "now")).toBe(true);
    expect((await worker.nth(2)).envelope).toMatchObject({ id: earlier.id, generation: 2 });
  });
});

/** Connected before there is a job, which is soon due. */
async function moveByClock(
  server: TestServer,
  namespace: string,
  offsetMs: number,
): Promise<(job: Envelope, notBefore: number) => Promise<boolean>> {
  const { nc, jsm } = await administrator(server);
  const publisher = new ConfirmedPublisher(nc);
  cleanUpLater(() => publisher.close());
  const options = {
    server: { nc, retrying: nc, jsm, names: new Names(namespace), maxValues: 100_000 },
    limits: sizeLimits(1024 * 1024),
    maxDelayMs: 366 * 86_400_000,
    retrying: publisher,
    hurried: () => publisher,
    ensureStreams: () => Promise.resolve(),
    serverNow: async () => Date.now() + offsetMs,
  };
  return (job, notBefore) => moveDelayed(options, job, notBefore);
}
