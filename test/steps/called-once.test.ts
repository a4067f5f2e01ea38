import { connectBroker } from "@millrace/broker-nats";
import { readEntry, type RunRef } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { connect, defineJob } from "millrace";
import { expect, it, onTestFinished } from "vitest";
import { eventually, within } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const charge = defineJob<{ readonly n: number }>({ name: "t.charge", queue: "bank" });
const order = defineJob<null>({ name: "t.order", queue: "shop", steps: true });
const PATIENT = 30_000;

describeEachServer("a node that died right behind the enqueue of a called job", (server) => {
  it("has it called once, though its queue has forgotten the id and the job waits yet", async () => {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    // Shorter than the lease: by the time another node takes over, it has passed.
    await client.queues.ensure("bank", { dedupeWindowMs: 200 });
    const charged: number[] = [];
    const orders = order.handler(async ({ step }) => step.call(charge, { n: 7 }));

    const dying = await connectBroker({ servers: server.url, namespace });
    const write = dying.journal.write.bind(dying.journal);
    const enqueued = Promise.withResolvers<RunRef>();
    dying.journal.write = async (run, step, data, options) => {
      const entry = readEntry(data);
      if (entry?.kind === "call" && entry.state === "calling" && entry.isEnqueued) {
        enqueued.resolve(run);
        await new Promise(() => {});
      }
      return write(run, step, data, options);
    };
    const node = createNode({ broker: dying, jobs: [orders], lease: "2s", grace: "1s" });
    await node.start();
    const { id } = await client.enqueue(order, null);
    const run = await within(enqueued.promise, PATIENT, "the called job is enqueued");
    await dying.close({ withinMs: 0 });
    void node.stop({ immediate: true }).catch(() => {});

    await startNodeOnServer(server, { namespace, jobs: [orders], lease: "2s", name: "next" });
    await eventually(
      async () =>
        (await client.broker.journal.read(run)).some(({ data }) => {
          const entry = readEntry(data);
          return entry?.kind === "call" && entry.state === "calling" && entry.isEnqueued;
        }),
      { withinMs: PATIENT, describe: "the next node has called it" },
    );
    expect(await client.broker.listWaiting("bank")).toHaveLength(1);
    await startNodeOnServer(server, {
      namespace,
      jobs: [charge.handler(({ input }) => void charged.push(input.n))],
      name: "bank",
    });
    await eventually(
      async () => (await client.jobs.get(id, { queue: "shop" }))?.state === "succeeded",
      { withinMs: PATIENT, describe: "the order is done" },
    );
    expect(charged).toEqual([7]);
  });
});
