import type { BrokerStatus } from "@millrace/core";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { CollectingWorker, jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";

describeEachServer("a server that is killed and restarted", (server) => {
  /** A broker that is soon back, and a worker on its queue `q`. */
  async function working(leaseMs: number) {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace, reconnectWaitMs: 50 });
    await broker.queues.ensure("q");
    return { broker, namespace, worker: await CollectingWorker.start(broker, "q", { leaseMs }) };
  }

  test("costs no job: what is enqueued meanwhile is confirmed and stored once, what was in hand stays in hand, the worker goes on", async () => {
    const { broker, worker } = await working(30_000);
    await broker.enqueue([jobFor("q")]);
    await worker.nth(1);
    // Its connection is to break once.
    await server.calm();
    const statuses: BrokerStatus[] = [];
    const down = Promise.withResolvers<void>();
    broker.onStatus((status) => {
      statuses.push(status);
      if (status === "disconnected") down.resolve();
    });
    await server.kill();
    await within(down.promise, 20_000, "the broker to see that the connection is gone");
    const meanwhile = jobFor("q");
    const enqueued = broker.enqueue([meanwhile]);
    await server.restart();
    expect(await within(enqueued, 20_000, "the confirmation")).toMatchObject([
      { ok: true, id: meanwhile.id },
    ]);
    expect(await broker.enqueue([meanwhile])).toMatchObject([{ ok: true, duplicate: true }]);
    // A server killed right after a delivery may not have noted it, and then gives the job in hand
    // out once more: at least once.
    await eventually(
      async () => {
        for (const { delivery } of worker.got)
          if (delivery.lease.isHeld()) await broker.settle(delivery, [{ do: "ack" }]);
        const { queued, running } = await broker.queues.snapshot("q");
        return queued + running === 0;
      },
      { withinMs: 20_000, describe: "an empty queue" },
    );
    expect(worker.got.filter(({ envelope }) => envelope.id === meanwhile.id)).toHaveLength(1);
    expect(statuses).toEqual(["disconnected", "connected"]);
  });

  test("forgets the id of what has left a queue; a settlement that is tried again stores none of its confirmed steps twice", async () => {
    const { broker, worker, namespace } = await working(30_000);
    const lastStored = async (): Promise<number> => {
      const connection = await connect({ servers: server.url });
      try {
        const manager = await jetstreamManager(connection);
        return (await manager.streams.info(`${namespace}-queue-q`)).state.last_seq;
      } finally {
        await connection.close();
      }
    };
    const job = jobFor("q");
    await broker.enqueue([job]);
    const { delivery } = await worker.nth(1);
    const next = { do: "requeue", envelope: { ...job, generation: 1 } } as const;
    await broker.settle(delivery, [next]);
    // The next attempt is over before the settlement of the first is.
    const { delivery: second } = await worker.nth(2);
    // An ack that dies with a leader leaves it running.
    await server.calm();
    await broker.settle(second, [{ do: "ack" }]);
    await eventually(async () => (await broker.queues.snapshot("q")).running === 1, {
      withinMs: 20_000,
      describe: "the second message is gone",
    });
    await worker.subscription?.stop();
    const before = await lastStored();
    await server.kill();
    await server.restart();
    // Or the ack would go into the void, in a cluster until its consumer has a leader.
    await server.calm();
    await eventually(() => broker.ping(), { withinMs: 20_000, describe: "connected again" });
    await broker.settle(delivery, [next, { do: "ack" }]);
    // What is in the queue does not tell: a killed server may have forgotten an ack.
    expect(await lastStored()).toBe(before);
    // The server has really forgotten: whoever publishes it anew is not told of a duplicate.
    await broker.requeue(next.envelope);
    expect(await lastStored()).toBe(before + 1);
  });

  test("takes the lease from a holder when it stays away longer, says so to the holder, and gives the job out again", async () => {
    const { broker, worker } = await working(1_000);
    // Its lease is shorter than an election.
    await server.calm();
    await broker.enqueue([jobFor("q")]);
    const { delivery } = await worker.nth(1);
    const lost = Promise.withResolvers<void>();
    delivery.lease.onLost(lost.resolve);
    await server.kill();
    await within(lost.promise, 20_000, "the holder to be told");
    expect(delivery.lease.isHeld()).toBe(false);
    await server.restart();
    const again = await worker.nth(2, 20_000);
    expect(again.delivery.message.sequence).toBe(delivery.message.sequence);
    await expect(broker.settle(delivery, [{ do: "ack" }])).rejects.toMatchObject({
      code: "lease-lost",
    });
    await broker.settle(again.delivery, [{ do: "ack" }]);
  });

  test("lets a settlement that was under way go through with the same id", async () => {
    const { broker, worker } = await working(30_000);
    await broker.enqueue([jobFor("q")]);
    const { delivery, envelope } = await worker.nth(1);
    await server.kill();
    const settled = broker.settle(delivery, [
      { do: "requeue", envelope: { ...envelope, generation: 1, attempts: 1 } },
      { do: "ack" },
    ]);
    await server.restart();
    await within(settled, 20_000, "the settlement");
    const next = await eventually(() => worker.got.find((got) => got.envelope.generation === 1), {
      withinMs: 20_000,
      describe: "the requeued job",
    });
    expect(next.envelope).toMatchObject({ id: envelope.id, attempts: 1 });
    await broker.settle(next.delivery, [{ do: "ack" }]);
  });

  test("ends a close within its patience while it is away", async () => {
    const broker = await connected({
      servers: server.url,
      namespace: server.namespace(),
      reconnectWaitMs: 50,
    });
    await broker.queues.ensure("q");
    await CollectingWorker.start(broker, "q");
    await server.kill();
    const lost = broker.enqueue([jobFor("q")]);
    await within(broker.close(), 20_000, "the close");
    expect(await lost).toMatchObject([{ ok: false, error: { code: "connection-closed" } }]);
    expect(broker.status).toBe("closed");
  });

  test("ends a close in the time its closer has while nothing is answered", async () => {
    const broker = await connected({ servers: server.url, namespace: server.namespace() });
    await broker.queues.ensure("q");
    await CollectingWorker.start(broker, "q");
    await server.freeze();
    const unanswered = broker.enqueue([jobFor("q")]);
    const startedAt = performance.now();
    await broker.close({ withinMs: 200 });
    // Its own patience is five seconds.
    expect(performance.now() - startedAt).toBeLessThan(4_500);
    expect(await unanswered).toMatchObject([{ ok: false, error: { code: "connection-closed" } }]);
    server.thaw();
  });
});
