import { connectBroker } from "@millrace/broker-nats";
import { type Broker, type Delivery, readEnvelope } from "@millrace/core";
import { expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { enqueue, ids, QUEUE } from "./tenants.ts";

const BLOCKED = 60;
const RELEASERS = 4;

describeEachServer("releasers that meet at a gate", (server) => {
  async function broker(namespace: string): Promise<Broker> {
    const made = await connectBroker({ servers: server.url, namespace });
    cleanUpLater(() => made.close());
    return made;
  }

  it("share what is blocked there: a race that is lost is an answer, and nobody has an error of it", async () => {
    const namespace = server.namespace();
    const brokers = await Promise.all(Array.from({ length: RELEASERS }, () => broker(namespace)));
    const [first] = brokers as [Broker];
    await first.queues.ensure(QUEUE);
    await server.calm();
    let settled = 0;
    const came: Delivery[] = [];
    const worker = await first.work(QUEUE, {
      freeSlots: () => BLOCKED - settled,
      leaseMs: 30_000,
      onDelivery: (delivery) => void came.push(delivery),
    });
    await enqueue(first, ids("a", BLOCKED), null);
    await eventually(() => came.length === BLOCKED, {
      withinMs: 20_000,
      describe: "all have come",
    });
    await worker.pause();
    // The server has one answer for what is gone from among others, and another for what is gone
    // from before all: the first job stays.
    for (const [at, delivery] of came.entries()) {
      const read = readEnvelope(delivery.message);
      if (!read.ok) throw new Error("the test's own job can't be read");
      const envelope = { ...read.envelope, generation: 1 };
      await first.settle(delivery, [
        { do: "block", envelope, gate: at === 0 ? "first" : "g" },
        { do: "ack" },
      ]);
      settled += 1;
    }

    const moved = await Promise.all(
      brokers.map(async ({ blocked }) => {
        let mine = 0;
        for (let one = 1; one > 0; mine += one) one = await blocked.release(QUEUE, "g", 1);
        return mine;
      }),
    );
    expect(moved.reduce((sum, mine) => sum + mine, 0)).toBe(BLOCKED - 1);
    expect(await first.blocked.gates()).toEqual([{ queue: QUEUE, gate: "first", count: 1 }]);
    expect(await first.queues.snapshot(QUEUE)).toMatchObject({ queued: BLOCKED - 1, blocked: 1 });
  });
});
