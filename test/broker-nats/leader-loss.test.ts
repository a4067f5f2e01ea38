import { jetstreamManager } from "@nats-io/jetstream";
import { launchCluster } from "@millrace/nats-server";
import { connect } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { ConfirmedPublisher } from "../../packages/broker-nats/src/publish/confirmed-publisher.ts";
import { PullSubscription } from "../../packages/broker-nats/src/pull/pull-subscription.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";
import { until, workQueue } from "./streams.ts";

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`a cluster of three (${nameOf(target)})`, () => {
    test("a killed stream leader costs no message, in publishing and in pulling", async () => {
      if (target.state === "missing") return;
      await using cluster = await launchCluster({ path: target.path });
      await using nc = await connect({
        servers: [...cluster.urls],
        noAsyncTraces: true,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 50,
      });
      const setUp = (): Promise<boolean> =>
        workQueue(nc, { ackWaitMs: 2_000, stream: { num_replicas: 3 } }).then(
          () => true,
          () => false,
        );
      await until("a replicated queue", setUp, 30_000);
      const jsm = await jetstreamManager(nc);
      const publisher = new ConfirmedPublisher(nc, { attemptTimeoutMs: 500, window: 32 });
      const done = new Set<string>();
      let busy = 0;
      const pulls: PullSubscription = new PullSubscription({
        nc,
        stream: "Q",
        consumer: "W",
        heartbeatMs: 250,
        freeSlots: () => 20 - busy,
        onMessage: (delivery) => {
          busy += 1;
          done.add(new TextDecoder().decode(delivery.data));
          // One that is lost is sent again when the message comes again.
          nc.request(delivery.ackSubject, "+ACK", { timeout: 500 })
            .catch(() => {})
            .finally(() => {
              busy -= 1;
              pulls.slotFreed();
            });
        },
      });
      let confirmed = 0;
      const all = Array.from({ length: 2_000 }, async (_, i) => {
        const ack = await publisher.publish("jobs.a", new TextEncoder().encode(String(i)), {
          "Nats-Msg-Id": String(i),
        });
        confirmed += 1;
        return ack.sequence;
      });
      await until("300 confirmed", () => confirmed >= 300);
      const { cluster: replicas } = await jsm.streams.info("Q");
      const leader = cluster.members.find((member) => member.name === replicas?.leader);
      await leader?.kill();
      expect(new Set(await Promise.all(all)).size).toBe(2_000);
      expect(leader).toBeDefined();
      await until("every message", () => done.size === 2_000, 30_000);
      await until(
        "an empty queue",
        async () => (await jsm.streams.info("Q").catch(() => undefined))?.state.messages === 0,
        30_000,
      );
      await publisher.close();
      await pulls.stop();
    }, 180_000);
  });
}
