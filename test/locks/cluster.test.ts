import { launchCluster } from "@millrace/nats-server";
import { type Broker, silentLogger, systemClock } from "@millrace/core";
import { type HeldLease, takeLock } from "@millrace/runtime";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { connected } from "../broker-nats/connected.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

const LEASE_MS = 6_000;

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(
    `locks in a cluster of three (${nameOf(target)})`,
    () => {
      test("one holder at a time while the leader of their stream is killed, and tokens only grow", async () => {
        if (target.state === "missing") return;
        await using cluster = await launchCluster({ path: target.path });
        const options = {
          servers: [...cluster.urls].join(","),
          namespace: "c",
          replicas: 3,
          reconnectWaitMs: 50,
          pingIntervalMs: 1_000,
        };
        const brokers: Broker[] = [];
        for (let index = 0; index < 3; index += 1) brokers.push(await connected(options));
        const first = { holder: "nobody", leaseMs: LEASE_MS };
        await eventually(
          async () => (await brokers[0]?.locks.acquire("first", first)) !== undefined,
          {
            withinMs: 30_000,
            describe: "the bucket of the locks",
          },
        );

        const take = async (holder: string, { locks }: Broker): Promise<HeldLease> => {
          const host = { locks, clock: systemClock, log: silentLogger, random: Math.random };
          const request = {
            name: "it",
            holder,
            leaseMs: LEASE_MS,
            waitMs: Number.POSITIVE_INFINITY,
          };
          const lease = await takeLock(host, request);
          if (lease === undefined) throw new Error(`${holder} waited for ever and got nothing`);
          return lease;
        };
        const tokens: number[] = [];
        let inside = 0;
        let most = 0;
        let lost = 0;
        const contend = async (holder: string, broker: Broker, turns: number): Promise<void> => {
          for (let turn = 0; turn < turns; turn += 1) {
            const lease = await take(holder, broker);
            most = Math.max(most, (inside += 1));
            tokens.push(lease.token);
            await broker.ping().catch(() => {});
            if (!lease.isHeld()) lost += 1;
            inside -= 1;
            await lease.release();
          }
        };
        const all = Promise.all(
          Array.from({ length: 9 }, (_, index) =>
            contend(`h${index}`, brokers[index % 3] as Broker, 10),
          ),
        );
        await eventually(() => tokens.length >= 20, { withinMs: 60_000, describe: "20 turns" });
        await using nc = await connect({ servers: [...cluster.urls] });
        const { cluster: raft } = await (await jetstreamManager(nc)).streams.info("KV_c-locks");
        const leader = cluster.members.find(({ name }) => name === raft?.leader);
        expect(leader).toBeDefined();
        await leader?.kill();
        await all;
        expect(most).toBe(1);
        expect(lost).toBe(0);
        expect(tokens).toHaveLength(90);
        expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
        expect(new Set(tokens).size).toBe(90);
      }, 180_000);
    },
  );
}
