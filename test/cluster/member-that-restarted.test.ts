import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats, type NatsConnection } from "@nats-io/transport-node";
import { launchCluster } from "@millrace/nats-server";
import { connect } from "millrace";
import { describe, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { untilAnswered } from "../harness/cluster/until-answered.ts";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

const STREAM = "r3-journal";
const WITHIN_MS = 60_000;
/** For as long a member that was to lead a stream first answers for its leader. */
const ANSWERS_MS = 11_000;
const run = { queue: "orders", id: "o-1", createdAt: 1 };

/** A connection to one member and no other, as soon as it takes any. */
async function connectToMember(url: string): Promise<NatsConnection> {
  let found: NatsConnection | undefined;
  await eventually(
    async () => {
      found = await connectNats({ servers: url, ignoreClusterUpdates: true }).catch(
        () => undefined,
      );
      return found !== undefined;
    },
    { withinMs: WITHIN_MS, describe: "the member takes connections" },
  );
  return found as NatsConnection;
}

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(
    `a member that was to lead a stream first, and is back (${nameOf(target)})`,
    () => {
      test("what it answers from its disk is not taken for what is on record", async () => {
        if (target.state === "missing") return;
        outOfCluster();
        const cluster = await launchCluster({ path: target.path });
        cleanUpLater(() => cluster.dispose());
        const options = { namespace: "r3", replicas: 3, env: {} };
        await using client = await connect({ ...options, servers: [...cluster.urls] });
        const { journal } = client.broker;
        const write = (n: number) =>
          untilAnswered(() => journal.write(run, { name: "step", n }, Uint8Array.of(n)));
        await write(0);
        await using nc = await connectNats({ servers: [...cluster.urls] });
        const jsm = await jetstreamManager(nc);
        const { leader } = (await jsm.streams.info(STREAM)).cluster ?? {};
        const first = cluster.members.find(({ name }) => name === leader);
        expect(first, "the stream has a leader").toBeDefined();
        if (first === undefined) return;
        await first.kill();
        for (let n = 1; n < 20; n += 1) await write(n);
        await nc.close();

        const restarted = first.restart();
        const member = await connectToMember(first.url);
        const until = performance.now() + ANSWERS_MS;
        await using there = await connect({ ...options, servers: first.url });
        await using bystander = member;
        /** What the member says to who takes its word. */
        const told: number[] = [];
        const listening = (async () => {
          const raw = await jetstreamManager(bystander, { checkAPI: false });
          while (performance.now() < until)
            await raw.streams.info(STREAM).then(
              ({ state }) => told.push(state.messages),
              () => "it says nothing, which is right",
            );
        })();
        const seen = new Set<number>();
        while (performance.now() < until)
          seen.add((await untilAnswered(() => there.broker.journal.read(run))).length);
        await listening;
        await restarted;
        expect([...seen]).toEqual([20]);
        // Else this was no test. Newer servers find the leader before they say anything.
        if (target.generation === "2.10") expect(Math.min(...told)).toBeLessThan(20);
      }, 240_000);
    },
  );
}
