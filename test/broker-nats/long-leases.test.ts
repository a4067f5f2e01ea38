import { LANE_CONSUMERS, LONGEST_LEASE_MS } from "@millrace/core";
import { nanos } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { describeEachServer } from "../harness/servers.ts";
import { CollectingWorker, jobFor } from "./collecting-worker.ts";
import { connected } from "./connected.ts";

const A_MONTH_MS = 30 * 24 * 3_600_000;

describeEachServer("leases that are too long", (server) => {
  test("are refused by name, and one that a queue grants all the same is kept like a day's", async () => {
    const namespace = server.namespace();
    const broker = await connected({ servers: server.url, namespace });
    await broker.queues.ensure("q");
    await expect(
      CollectingWorker.start(broker, "q", { leaseMs: LONGEST_LEASE_MS + 1 }),
    ).rejects.toMatchObject({
      code: "invalid-option",
      message: expect.stringMatching(/^leaseMs: .*at most 86400000/) as string,
    });
    const first = await CollectingWorker.start(broker, "q", { leaseMs: LONGEST_LEASE_MS });
    await first.subscription?.stop();
    const { jsm } = await administrator(server);
    const stream = `${namespace}-queue-q`;
    for (const lane of Object.values(LANE_CONSUMERS)) {
      const { config } = await jsm.consumers.info(stream, lane);
      await jsm.consumers.update(stream, lane, { ...config, ack_wait: nanos(A_MONTH_MS) });
    }
    const worker = await CollectingWorker.start(broker, "q");
    await broker.enqueue([jobFor("q")]);
    const { delivery } = await worker.nth(1);
    expect(delivery.lease.isHeld()).toBe(true);
    await broker.settle(delivery, [{ do: "ack" }]);
  });
});
