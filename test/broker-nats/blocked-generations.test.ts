import { connectBroker } from "@millrace/broker-nats";
import { type Delivery, type Envelope, UNSETTLED } from "@millrace/core";
import { expect, it } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { describeEachServer } from "../harness/servers.ts";

const BLOCKED = 500;
/** Those that are read one by one before batches are, and what a look asks beside. */
const MOST_READS = 250;

/** The queue is called as what stands before an id, which is a number, as a generation is. */
const [QUEUE, ID] = ["millrace", "123"];

describeEachServer("a look at what follows a job of many at gates", (server) => {
  it("reads them in batches, and tells the queue from the id", async () => {
    const namespace = server.namespace();
    const broker = await connectBroker({ servers: server.url, namespace });
    cleanUpLater(() => broker.close());
    await broker.queues.ensure(QUEUE);
    const job: Envelope = {
      ...UNSETTLED,
      ...{ id: ID, name: "t.x", queue: QUEUE, payload: {} },
      ...{ createdAt: Date.now(), headers: {} },
    };
    await broker.enqueue([job]);
    const came = Promise.withResolvers<Delivery>();
    const worker = await broker.work(QUEUE, {
      ...{ freeSlots: () => 1, leaseMs: 60_000 },
      onDelivery: came.resolve,
    });
    const delivery = await came.promise;
    const generations = Array.from({ length: BLOCKED }, (_, index) => index + 1);
    await broker.settle(
      delivery,
      generations.map((generation) => ({
        ...{ do: "block", gate: "g" },
        envelope: { ...job, generation, id: generation === BLOCKED ? ID : `other-${generation}` },
      })),
    );
    const { nc, jsm } = await administrator(server);
    const { config } = await jsm.streams.info(`${namespace}-blocked`);
    // As if they had been blocked minutes ago.
    await jsm.streams.update(config.name, { ...config, duplicate_window: 100_000_000 });
    let reads = 0;
    nc.subscribe(`$JS.API.STREAM.MSG.GET.${namespace}-blocked`, {
      callback: () => {
        reads += 1;
      },
    });
    await nc.flush();
    const { waiting } = await broker.successors(job, delivery.message);
    await nc.flush();
    await worker.stop();
    expect(waiting.map(({ generation }) => generation)).toEqual([BLOCKED]);
    expect(reads).toBeGreaterThan(0);
    expect(reads).toBeLessThan(MOST_READS);
  });
});
