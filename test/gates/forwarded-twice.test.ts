import { connectBroker, type NatsBroker } from "@millrace/broker-nats";
import { type Delivery, type Envelope, UNSETTLED } from "@millrace/core";
import { jetstream } from "@nats-io/jetstream";
import { defineJob } from "millrace";
import { expect, it } from "vitest";
import { MOVER_CONSUMER } from "../../packages/broker-nats/src/topology/consumer-names.ts";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

const DEDUPE_MS = 200;
const WITHIN_MS = 30_000;

/** It went to its queue, and who brought it there died before its place elsewhere was given up. */
interface Forwarded {
  readonly broker: NatsBroker;
  readonly namespace: string;
}

describeEachServer("what is back after the dedupe window, forwarded and not removed,", (server) => {
  it("runs once: a delayed job that lies in its queue", async () => {
    const { broker } = await forwardedJob(server);
    expect(await broker.queues.snapshot("q")).toMatchObject({ queued: 1, delayed: 1 });
    const moving = await broker.moveDueJobs();
    cleanUpLater(() => moving.stop());
    await noneDelayed(broker);
    expect(await broker.queues.snapshot("q")).toMatchObject({ queued: 1, delayed: 0 });
  });

  it("runs once: a delayed job that has run", async () => {
    const { broker, namespace } = await forwardedJob(server);
    const runs: string[] = [];
    await startNodeOnServer(server, {
      namespace,
      jobs: [
        defineJob({ name: "t.x", queue: "q" }).handler(({ job: { id, generation } }) => {
          runs.push(`${id}/${generation}`);
        }),
      ],
    });
    await noneDelayed(broker);
    await eventually(
      async () => {
        const { queued, running } = await broker.queues.snapshot("q");
        return queued + running === 0 && runs.length > 0;
      },
      { withinMs: WITHIN_MS, describe: "nothing is left in the queue" },
    );
    expect(runs).toEqual(["x/1"]);
  });

  it("runs once: a blocked job that lies in its queue", async () => {
    const { broker } = await releasedJob(server);
    expect(await broker.queues.snapshot("q")).toMatchObject({ queued: 1, blocked: 1 });
    expect(await broker.blocked.release("q", "g", 1)).toBe(0);
    expect(await broker.queues.snapshot("q")).toMatchObject({ queued: 1, blocked: 0 });
  });
});

async function noneDelayed(broker: NatsBroker): Promise<void> {
  await eventually(async () => (await broker.delayed.count()) === 0, {
    withinMs: WITHIN_MS,
    describe: "nothing is delayed",
  });
}

function jobOf(id: string): Envelope {
  return {
    ...UNSETTLED,
    ...{ id, name: `t.${id}`, queue: "q", payload: null, createdAt: Date.now(), headers: {} },
  };
}

async function emptyQueue(server: TestServer): Promise<Forwarded> {
  const namespace = server.namespace();
  const broker = await connectBroker({ servers: server.url, namespace });
  cleanUpLater(() => broker.close());
  await broker.queues.ensure("q", { dedupeWindowMs: DEDUPE_MS });
  return { broker, namespace };
}

async function forgotten(sinceMs: number): Promise<void> {
  await eventually(() => Date.now() - sinceMs > 3 * DEDUPE_MS, {
    withinMs: WITHIN_MS,
    describe: "the queue has forgotten the id",
  });
}

/** A mover has it in hand, has published it, and dies before the ack. */
async function forwardedJob(server: TestServer): Promise<Forwarded> {
  const { broker, namespace } = await emptyQueue(server);
  await (await broker.moveDueJobs()).stop();
  const now = Date.now();
  const due = { generation: 1, firstStoredAt: now, notBefore: now + 100 };
  await broker.requeue({ ...jobOf("x"), ...due });
  const { nc, jsm } = await administrator(server);
  const stored = await jsm.streams.getMessage(`${namespace}-delayed`, {
    last_by_subj: `${namespace}.due.>`,
  });
  const mover = await jetstream(nc).consumers.get(`${namespace}-delayed`, MOVER_CONSUMER);
  expect(await mover.next({ expires: 5_000 })).not.toBeNull();
  // What is sent again to a new leader would be stored twice by a queue that has forgotten its id.
  await server.calm();
  await jetstream(nc).publish(`${namespace}.requeue.q`, stored?.data, { msgID: "millrace/x/1" });
  await forgotten(Date.now());
  return { broker, namespace };
}

/** A releaser has published it, and dies before the removal. */
async function releasedJob(server: TestServer): Promise<Forwarded> {
  const { broker, namespace } = await emptyQueue(server);
  const job = jobOf("y");
  await broker.enqueue([job]);
  const came = Promise.withResolvers<Delivery>();
  const worker = await broker.work("q", {
    freeSlots: () => 1,
    leaseMs: 30_000,
    onDelivery: came.resolve,
  });
  const delivery = await came.promise;
  const envelope = { ...job, generation: 1, firstStoredAt: Math.floor(delivery.message.storedAt) };
  await broker.settle(delivery, [{ do: "block", envelope, gate: "g" }, { do: "ack" }]);
  await worker.stop();
  const { nc, jsm } = await administrator(server);
  const stored = await jsm.streams.getMessage(`${namespace}-blocked`, {
    last_by_subj: `${namespace}.blocked.>`,
  });
  await server.calm();
  await jetstream(nc).publish(`${namespace}.requeue.q.woken`, stored?.data, {
    msgID: stored?.header.get("Nats-Msg-Id") ?? "",
  });
  await forgotten(Date.now());
  return { broker, namespace };
}
