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
/** So many members are killed until one answered before it had caught up: each of three twice. */
const ROUNDS = 6;
const MESSAGES = 20;
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

/** The fewest messages the member says the stream has, to one who takes its word. */
async function fewest(member: NatsConnection, until: number): Promise<number> {
  let told = Infinity;
  const jsm = await jetstreamManager(member, { checkAPI: false });
  while (performance.now() < until)
    await jsm.streams.info(STREAM).then(
      ({ state }) => (told = Math.min(told, state.messages)),
      () => "it says nothing, which is right",
    );
  return told;
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
        const leading = async () => {
          const { cluster: group } = await untilAnswered(() => jsm.streams.info(STREAM));
          const leader = cluster.members.find(({ name }) => name === group?.leader);
          if (leader === undefined) throw new Error("the stream has no leader");
          return leader;
        };
        let length = 1;
        let told = Infinity;
        // Which of them was to lead nobody is told, and on a busy machine another came first.
        const { name } = await leading();
        const members = cluster.members.toSorted(
          (a, b) => Number(b.name === name) - Number(a.name === name),
        );
        // Newer servers find the leader before they say anything.
        const rounds = target.generation === "2.10" ? ROUNDS : 1;
        for (let round = 0; round < rounds && told >= length; round += 1) {
          const back = members[round % members.length];
          if (back === undefined) throw new Error("a cluster has members");
          // Connected beforehand: a first connect to a member that starts can outlast the fault.
          await using there = await connect({ ...options, servers: back.url });
          await back.kill();
          for (let n = 0; n < MESSAGES; n += 1) {
            await write(length);
            length += 1;
          }
          const restarted = back.restart();
          await using member = await connectToMember(back.url);
          const until = performance.now() + ANSWERS_MS;
          const listening = fewest(member, until);
          const seen = new Set<number>();
          while (performance.now() < until)
            seen.add((await untilAnswered(() => there.broker.journal.read(run))).length);
          told = await listening;
          await restarted;
          expect([...seen]).toEqual([length]);
        }
        // Else this was no test.
        if (target.generation === "2.10") expect(told).toBeLessThan(length);
      }, 240_000);
    },
  );
}
