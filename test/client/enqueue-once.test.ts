import { connect, defineJob } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { eventually, within } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const QUEUE = "orders";
const order = defineJob<{ n: number }, { n: number }, number>({ name: "order", queue: QUEUE });
const PATIENCE_MS = 60_000;

describeEachServer("an id that is looked up", (server) => {
  test("stores nothing where its job waits or has ended, though the queue has forgotten the id", async () => {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    await client.broker.queues.ensure(QUEUE, { dedupeWindowMs: 100 });
    const once = { id: "order-7", once: true } as const;
    const later = { id: "order-8", once: true } as const;
    // In a cluster's test the first enqueue may find its own job, whose answer got lost.
    const first = await client.enqueue(order, { n: 1 }, once);
    await client.enqueue(order, { n: 1 }, { ...later, delay: "2h" });
    await client.enqueue(order, { n: 0 }, { id: "plain" });
    await eventually(
      async () => !(await client.enqueue(order, { n: 0 }, { id: "plain" })).duplicate,
      { withinMs: PATIENCE_MS, describe: "the queue has forgotten an id" },
    );
    expect(await client.enqueue(order, { n: 2 }, once)).toMatchObject({ duplicate: true });
    const ran: number[] = [];
    await startNodeOnServer(server, {
      namespace,
      jobs: [
        order.handler(({ input, job }) => {
          if (job.id === first.id) ran.push(input.n);
          return input.n;
        }),
      ],
    });
    const timeout = PATIENCE_MS;
    expect(await first.result({ timeout })).toBe(1);
    const again = await client.enqueue(order, { n: 3 }, once);
    expect(again.duplicate).toBe(true);
    expect(await again.result({ timeout })).toBe(1);
    await eventually(async () => (await client.job(later.id)).state === "delayed", {
      withinMs: PATIENCE_MS,
      describe: "the other job waits for its time",
    });
    expect(await client.enqueue(order, { n: 3 }, later)).toMatchObject({ duplicate: true });
    // Behind whatever might have been stored.
    const last = await client.enqueue(order, { n: 4 });
    expect(await within(last.result(), PATIENCE_MS, "the last job")).toBe(4);
    expect(ran).toEqual([1]);
  });
});
