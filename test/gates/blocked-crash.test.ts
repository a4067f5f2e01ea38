import { connectBroker } from "@millrace/broker-nats";
import { type Delivery, type Envelope, type HistoryRecord, UNSETTLED } from "@millrace/core";
import { jetstream } from "@nats-io/jetstream";
import { expect, it } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

const DEDUPE_MS = 200;

describeEachServer("a releaser that died between the publication and the removal", (server) => {
  it("leaves a job that the next one recognises: soon after by its id, later by its record", async () => {
    const namespace = server.namespace();
    const broker = await connectBroker({ servers: server.url, namespace });
    cleanUpLater(() => broker.close());
    await broker.queues.ensure("q", { dedupeWindowMs: DEDUPE_MS });
    const job: Envelope = {
      ...UNSETTLED,
      id: "job",
      name: "t",
      queue: "q",
      payload: null,
      createdAt: Date.now(),
      headers: {},
    };
    await broker.enqueue([job]);
    const came: Delivery[] = [];
    const worker = await broker.work("q", {
      freeSlots: () => 1,
      leaseMs: 30_000,
      onDelivery: (delivery) => void came.push(delivery),
    });
    const next = async (index: number): Promise<Delivery> =>
      eventually(() => came[index], { withinMs: 20_000, describe: `delivery ${index}` });
    const block = { do: "block", envelope: { ...job, generation: 1 }, gate: "g" } as const;
    await broker.settle(await next(0), [block, { do: "ack" }]);

    // What a releaser does first. Then it dies.
    const { nc, jsm } = await administrator(server);
    const stored = await jsm.streams.getMessage(`${namespace}-blocked`, {
      last_by_subj: `${namespace}.blocked.>`,
    });
    // What is sent again to a new leader would be stored twice by a queue that has forgotten its
    // id.
    await server.calm();
    await jetstream(nc).publish(`${namespace}.requeue.q.woken`, stored?.data, {
      msgID: stored?.header.get("Nats-Msg-Id") ?? "",
    });
    const second = await next(1);
    expect(second.message.origin).toBe("runtime");
    const record: HistoryRecord = {
      id: "job",
      name: "t",
      queue: "q",
      state: "succeeded",
      outcome: "succeeded",
      attempts: 1,
      generation: 1,
      sequence: second.message.sequence,
      node: "n",
      at: Date.now() + 1,
    };
    await broker.settle(second, [{ do: "record", record }, { do: "ack" }]);

    const storedAt = stored?.time.getTime() ?? 0;
    await eventually(() => Date.now() - storedAt > 3 * DEDUPE_MS, {
      withinMs: 20_000,
      describe: "the queue has forgotten the id",
    });
    expect(await broker.blocked.count()).toBe(1);
    expect(await broker.blocked.release("q", "g", 1)).toBe(0);
    expect(await broker.blocked.count()).toBe(0);
    expect(await broker.queues.snapshot("q")).toMatchObject({ queued: 0, running: 0 });
    await worker.stop();
  });
});
