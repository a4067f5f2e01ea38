import { brokerConformance } from "@millrace/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { conformanceHarness } from "../broker-nats/conforming.ts";
import { clusterMode, REPLICAS } from "../harness/cluster/mode.ts";
import { startTestCluster, type TestCluster } from "../harness/cluster/test-cluster.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

/**
 * What settlement rests on. The whole suite runs on a cluster with `npm test -- --cluster`, which
 * would take too long for every run; there this part is not run twice.
 */
const CORE = /^(?:enqueue|settle|requeue|documents|journal):/;
/**
 * A put that passes a member as it dies is heard by nobody, and one that is sent again is heard
 * again.
 */
const CALM = /^documents: what another connection puts/;
/** Longer than an election: what is settled during one is settled by its holder. */
const LEASE_MS = 15_000;
/** Each stops what is under way for an election. */
const MOST_KILLS = 2;
const PATIENCE_MS = 60_000;

for (const target of serversUnderTest()) {
  if (target.generation === "2.10") continue;
  const whole =
    clusterMode() === undefined ? "" : ", all of it in this mode: test/broker-nats/conformance";
  const title = `the NATS broker on three servers, their leaders killed (${nameOf(target)}${whole})`;
  describe.skipIf(target.state === "missing" || whole !== "")(title, () => {
    let cluster: TestCluster;
    let harness: Awaited<ReturnType<typeof conformanceHarness>>;

    beforeAll(async () => {
      if (target.state === "missing") throw new Error(target.reason);
      cluster = await startTestCluster(target.path, {}, MOST_KILLS);
      harness = await conformanceHarness(
        { servers: cluster.url, namespace: "r3", replicas: REPLICAS, reconnectWaitMs: 50 },
        PATIENCE_MS,
      );
    });
    afterAll(async () => {
      await harness.broker.close();
      await cluster.dispose();
    });

    const cases = brokerConformance.filter(({ name }) => CORE.test(name));
    test.each(cases)(
      "$name",
      async ({ name, run }) => {
        const isCalm = CALM.test(name);
        if (isCalm) await cluster.calm();
        await run({ ...harness, leaseMs: LEASE_MS, leadersDie: true });
        if (isCalm) await cluster.bringBack();
      },
      120_000,
    );

    test("leaders were killed meanwhile", () => {
      expect(cluster.deaths).not.toEqual([]);
    });
  });
}
