import { jetstreamManager } from "@nats-io/jetstream";
import { launchCluster } from "@millrace/nats-server";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { PullSubscription } from "../../packages/broker-nats/src/pull/pull-subscription.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";
import { until, workQueue } from "./streams.ts";

const RECONNECT = { noAsyncTraces: true, maxReconnectAttempts: -1, reconnectTimeWait: 50 };

const leaderOf = async (nc: NatsConnection): Promise<string | undefined> =>
  (await (await jetstreamManager(nc)).consumers.info("Q", "W")).cluster?.leader;

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`a cluster of three (${nameOf(target)})`, () => {
    // How soon: `between-leaders.test.ts`, which needs no luck to be long enough without one.
    test("a consumer without a leader says no word of it, and is asked again once it has another", async () => {
      if (target.state === "missing") return;
      await using cluster = await launchCluster({ path: target.path });
      await using setting = await connect({ ...RECONNECT, servers: [...cluster.urls] });
      const setUp = (): Promise<boolean> =>
        workQueue(setting, { stream: { num_replicas: 3 } }).then(
          () => true,
          () => false,
        );
      await until("a replicated queue", setUp, 30_000);
      const leader = await leaderOf(setting);
      const victim = cluster.members.find(({ name }) => name === leader);
      const others = cluster.urls.filter((url) => url !== victim?.url);
      expect(victim).toBeDefined();
      // Its connection goes with the leader, so its pull comes to a server that leads nothing yet.
      await using nc = await connect({
        ...{ ...RECONNECT, noRandomize: true },
        servers: [victim?.url ?? "", ...others],
      });
      let arrived = 0;
      let unanswered = 0;
      const pulls = new PullSubscription({
        ...{ nc, stream: "Q", consumer: "W", freeSlots: () => 1 },
        onMessage: () => (arrived += 1),
        // Nobody answers for it: 503.
        onConsumerMissing: async () => void (unanswered += 1),
      });
      await victim?.kill();
      const isStored = (): Promise<boolean> =>
        nc.request("jobs.a", "x", { timeout: 1_000 }).then(
          (answer) => answer.string().includes('"seq"'),
          () => false,
        );
      await until("a message is stored", isStored, 60_000);
      await until("the message", () => arrived > 0, 60_000);
      expect(unanswered).toBeGreaterThan(0);
      await pulls.stop();
    }, 180_000);
  });
}
