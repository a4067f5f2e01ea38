import { connectBroker } from "@millrace/broker-nats";
import { type Delivery, type Envelope, UNSETTLED } from "@millrace/core";
import { defineJob } from "millrace";
import { expect, it } from "vitest";
import { capGate, permitLock } from "../../packages/runtime/src/limits/gate-names.ts";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const TENANT = "acme";
const LEASE_MS = 2_000;
const WINDOW_MS = 100;

const job = defineJob<{ readonly tenant: string }>({
  ...{ name: "t.x", queue: "q" },
  concurrency: { key: ({ tenant }) => tenant, limit: 2 },
});

describeEachServer("a job whose holder blocked it and died before the record", (server) => {
  it("runs once, also where it comes again when the blocked one's id is forgotten", async () => {
    const namespace = server.namespace();
    const broker = await connectBroker({ servers: server.url, namespace });
    cleanUpLater(() => broker.close());
    await broker.queues.ensure("q", { dedupeWindowMs: WINDOW_MS });
    const first: Envelope = {
      ...UNSETTLED,
      ...{ id: "x", name: "t.x", queue: "q", payload: { tenant: TENANT } },
      ...{ createdAt: Date.now(), headers: {} },
    };
    const taken = { holder: "another node", leaseMs: 60_000 };
    const permits = await Promise.all(
      [0, 1].map((n) => broker.locks.acquire(permitLock("q", TENANT, n), taken)),
    );
    await broker.enqueue([first]);
    const came = Promise.withResolvers<Delivery>();
    const worker = await broker.work("q", {
      ...{ freeSlots: () => 1, leaseMs: LEASE_MS },
      onDelivery: came.resolve,
    });
    const delivery = await came.promise;
    const firstStoredAt = Math.floor(delivery.message.storedAt);
    const blocked = { ...first, generation: 1, firstStoredAt };
    const gate = capGate("q", TENANT);
    await broker.settle(delivery, [{ do: "block", envelope: blocked, gate }]);
    await broker.settle(delivery, []);
    await worker.stop();
    // As if its lease had lasted for longer than the two minutes.
    const { jsm } = await administrator(server);
    const { config } = await jsm.streams.info(`${namespace}-blocked`);
    const duplicate_window = WINDOW_MS * 1_000_000;
    await jsm.streams.update(config.name, { ...config, duplicate_window });

    const runs: string[] = [];
    await startNodeOnServer(server, {
      ...{ namespace, lease: LEASE_MS },
      jobs: [
        job.handler(({ job: { generation, id } }) => {
          runs.push(`${id}/${generation}`);
        }),
      ],
    });
    const emptied = (): Promise<true> =>
      eventually(
        async () => {
          const { queued, running } = await broker.queues.snapshot("q");
          return queued === 0 && running === 0;
        },
        { withinMs: 30_000, describe: "nothing is left in the queue" },
      ) as Promise<true>;
    await emptied();
    expect(await broker.blocked.count()).toBe(1);
    for (const permit of permits) if (permit !== undefined) await broker.locks.release(permit);
    await eventually(() => runs.length > 0, { withinMs: 30_000, describe: "it runs" });
    await emptied();
    expect(runs).toEqual(["x/1"]);
    expect(await broker.blocked.count()).toBe(0);
  });
});
