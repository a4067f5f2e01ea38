import { setTimeout as pause } from "node:timers/promises";
import { connectBroker } from "@millrace/broker-nats";
import { defineJob } from "@millrace/core";
import { expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";
import { enqueue, ids, QUEUE } from "./tenants.ts";

/** Eight seconds of work for one slot: four times as long as the start is ahead. */
const BACKLOG = 400;
const WORK_MS = 20;

describeEachServer("a job that a rate keeps a start for", (server) => {
  it("has it at its time, and not behind a backlog that came before that", async () => {
    const order: string[] = [];
    const limited = defineJob<{ tenant: string }, { tenant: string }, void>({
      name: "limited",
      queue: QUEUE,
      rateLimit: { key: ({ tenant }) => tenant, limit: 1, per: "2s" },
    }).handler(({ job }) => void order.push(job.id));
    const other = defineJob({ name: "t", queue: QUEUE }).handler(async ({ job }) => {
      order.push(job.id);
      await pause(WORK_MS);
    });
    const { namespace } = await startNodeOnServer(server, { jobs: [limited, other], slots: 1 });
    const broker = await connectBroker({ servers: server.url, namespace });
    cleanUpLater(() => broker.close());
    await server.calm();
    await enqueue(broker, ["first", "second"], { tenant: "acme" }, { name: "limited" });
    await eventually(async () => (await broker.queues.snapshot(QUEUE)).delayed === 1, {
      withinMs: 20_000,
      describe: "the second waits for its start",
    });
    await enqueue(broker, ids("a", BACKLOG), null);
    await eventually(() => order.length === BACKLOG + 2, {
      withinMs: 60_000,
      describe: () => `all have run (${order.length})`,
    });
    // Behind the backlog it would be the last; the machine may be slow by half of it.
    expect(order.indexOf("second")).toBeLessThan(BACKLOG * 0.75);
  });
});
