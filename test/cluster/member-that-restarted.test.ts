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
/** How often a member is killed until one has answered before it had caught up. */
const ROUNDS = 5;
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

/** How many messages the member says the stream has, to one who takes its word. */
async function listen(member: NatsConnection, until: number): Promise<readonly number[]> {
  const told: number[] = [];
  const jsm = await jetstreamManager(member, { checkAPI: false });
  while (performance.now() < until)
    await jsm.streams.info(STREAM).then(
      ({ state }) => told.push(state.messages),
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
        const { leader } = (await jsm.streams.info(STREAM)).cluster ?? {};
        const first = cluster.members.find(({ name }) => name === leader);
        expect(first, "the stream has a leader").toBeDefined();
        if (first === undefined) return;
        // Connected beforehand: a first connect to a member that starts can outlast the fault.
        await using there = await connect({ ...options, servers: first.url });
        let length = 1;
        let told = Infinity;
        // On a busy machine a member can catch up before anybody asks it: then it is killed again.
        // Newer servers find the leader before they say anything.
        const rounds = target.generation === "2.10" ? ROUNDS : 1;
        for (let round = 0; round < rounds && told >= length; round += 1) {
          await first.kill();
          for (let n = 0; n < MESSAGES; n += 1) {
            await write(length);
            length += 1;
          }
          const restarted = first.restart();
          await using member = await connectToMember(first.url);
          const until = performance.now() + ANSWERS_MS;
          const listening = listen(member, until);
          const seen = new Set<number>();
          while (performance.now() < until)
            seen.add((await untilAnswered(() => there.broker.journal.read(run))).length);
          told = Math.min(...(await listening));
          await restarted;
          expect([...seen]).toEqual([length]);
        }
        // Else this was no test.
        if (target.generation === "2.10") expect(told).toBeLessThan(length);
      }, 240_000);
    },
  );
}
