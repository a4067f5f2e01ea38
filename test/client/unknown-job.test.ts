import { connect, defineJob } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { within } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const QUEUE = "orders";
const order = defineJob<{ n: number }, { n: number }, number>({ name: "order", queue: QUEUE });
const PATIENCE_MS = 60_000;

describeEachServer("who waits for a job by its id", (server) => {
  test("is told where nobody knows it, and waits for one that is there or comes", async () => {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    const noQueue = client.handle("nobody", QUEUE).result({ appearsWithin: "1s" });
    await expect(within(noQueue, PATIENCE_MS, "no queue")).rejects.toMatchObject({
      code: "job-not-found",
    });
    await client.queues.ensure(QUEUE);
    await client.enqueue(order, { n: 1 }, { id: "waits" });
    const waits = client.handle<number>("waits", QUEUE).result({ appearsWithin: "1s" });
    const comes = client.handle<number>("comes", QUEUE).result({ appearsWithin: "1h" });
    await expect(
      within(
        client.handle("nobody", QUEUE).result({ appearsWithin: "1s" }),
        PATIENCE_MS,
        "a job that nobody knows",
      ),
    ).rejects.toMatchObject({
      code: "job-not-found",
      message: expect.stringContaining("none appeared within 1s") as string,
    });
    await client.enqueue(order, { n: 2 }, { id: "comes" });
    await startNodeOnServer(server, { namespace, jobs: [order.handler(({ input }) => input.n)] });
    expect(await within(Promise.all([waits, comes]), PATIENCE_MS, "both results")).toEqual([1, 2]);
  });
});
