import { systemClock } from "@millrace/core";
import { expect, test } from "vitest";
import { brokerConfig } from "../../packages/broker-nats/src/broker-options.ts";
import { brokerOn } from "../../packages/broker-nats/src/broker-on.ts";
import { connectNats } from "../../packages/broker-nats/src/connection/connect-nats.ts";
import { LocalLeaseKeeper } from "../../packages/broker-nats/src/lease/local-lease-keeper.ts";
import { setMachine } from "../../packages/broker-nats/src/machine/machine.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { CollectingWorker, jobFor } from "./collecting-worker.ts";
import { describeOnOwnServers } from "./real-server.ts";
import { until } from "./streams.ts";

const LEASE_MS = 3_000;

describeOnOwnServers("a broker on a machine of its own", (start) => {
  test("keeps the lease of a long job without a thread, and takes its names from that machine", async () => {
    await using server = await start();
    let names = 0;
    const newName = (): string => `name${(names += 1)}`;
    const dial = async (): ReturnType<typeof connectNats> => {
      const connected = await connectNats({ servers: server.url });
      setMachine(connected.nc, {
        clock: systemClock,
        random: () => 0.5,
        newId: newName,
        newToken: newName,
      });
      return connected;
    };
    const broker = await brokerOn(
      await dial(),
      brokerConfig({ servers: server.url }),
      async (owner) => new LocalLeaseKeeper((await dial()).nc, owner),
    );
    cleanUpLater(() => broker.close());
    await broker.queues.ensure("mail");
    const worker = await CollectingWorker.start(broker, "mail", { leaseMs: LEASE_MS, slots: 5 });
    await broker.enqueue([jobFor("mail")]);
    const { delivery } = await worker.nth(1);
    const since = performance.now();
    await until("three leases to pass", () => {
      expect(delivery.lease.isHeld()).toBe(true);
      return performance.now() - since > 3 * LEASE_MS;
    });
    await broker.settle(delivery, [{ do: "ack" }]);
    expect(worker.got).toHaveLength(1);
    expect(names).toBeGreaterThan(3);
  });
});
