import type { HistoryRecord } from "@millrace/core";
import { expect, test } from "vitest";
import { within } from "../harness/deadline.ts";
import { startProxy } from "../harness/proxy.ts";
import { describeEachServer } from "../harness/servers.ts";
import { CollectingWorker, jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";

const LEASE_MS = 1_000;

describeEachServer("what a settlement publishes, once its lease is lost", (server) => {
  /** A holder that is cut off with a job in its hands, and another that may settle it. */
  async function cutOff() {
    const namespace = server.namespace();
    const proxy = await startProxy(server.url);
    const away = await connected({ servers: proxy.url, namespace, reconnectWaitMs: 50 });
    await away.queues.ensure("q");
    // Leases here are shorter than an election.
    await server.calm();
    const worker = await CollectingWorker.start(away, "q", { leaseMs: LEASE_MS });
    const job = jobFor("q");
    await away.enqueue([job]);
    const { delivery } = await worker.nth(1);
    const lost = Promise.withResolvers<void>();
    delivery.lease.onLost(lost.resolve);
    proxy.cut();
    const here = await connected({ servers: server.url, namespace });
    return { away, here, proxy, job, delivery, lost: lost.promise };
  }

  const record = (job: ReturnType<typeof jobFor>, state: "succeeded" | "cancelled") =>
    ({
      id: job.id,
      name: job.name,
      queue: job.queue,
      state,
      outcome: state,
      attempts: 1,
      generation: 0,
      node: "n",
      at: Date.now(),
    }) satisfies HistoryRecord;

  test("is dropped at once, and not sent when the line is back: another holder's end stays the only one", async () => {
    const { away, here, proxy, job, delivery, lost } = await cutOff();
    const settled = away.settle(delivery, [
      { do: "record", record: record(job, "succeeded") },
      { do: "ack" },
    ]);
    const refused = expect(settled).rejects.toMatchObject({ code: "lease-lost" });
    await within(lost, 20_000, "the holder to be told");
    await within(refused, 20_000, "the settlement to be given up");
    // Long enough that a busy machine doesn't lose this one, too.
    const other = await CollectingWorker.start(here, "q", { leaseMs: 5 * LEASE_MS });
    const { delivery: second } = await other.nth(1);
    await here.settle(second, [{ do: "record", record: record(job, "cancelled") }, { do: "ack" }]);
    proxy.heal();
    await within(back(away), 20_000, "the line to be back");
    // In the order of the line: whatever was sent again is stored before this is answered.
    await away.requeue(jobFor("q"));
    const states = (await here.history.read({ id: job.id })).map(({ state }) => state);
    expect(states).toEqual(["cancelled"]);
  });

  test("and a publish outside of its steps is given up as well", async () => {
    const { away, here, proxy, delivery, lost } = await cutOff();
    const callback = jobFor("q");
    const published = away.requeue(callback, { lease: delivery.lease });
    const refused = expect(published).rejects.toMatchObject({ code: "lease-lost" });
    await within(lost, 20_000, "the holder to be told");
    await within(refused, 20_000, "the publish to be given up");
    proxy.heal();
    await within(back(away), 20_000, "the line to be back");
    await away.requeue(jobFor("q"));
    expect(await here.findWaiting(callback.id, { queue: "q" })).toBeUndefined();
  });
});

/** Resolves once it is connected. */
function back(broker: Awaited<ReturnType<typeof connected>>): Promise<void> {
  if (broker.status === "connected") return Promise.resolve();
  return new Promise((resolve) => {
    broker.onStatus((status) => {
      if (status === "connected") resolve();
    });
  });
}
