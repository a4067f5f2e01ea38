import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats, type NatsConnection } from "@nats-io/transport-node";
import type { LaunchedServer } from "@millrace/nats-server";
import { connect, type Millrace } from "millrace";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { DividedCluster } from "../harness/cluster/divided-cluster.ts";
import { untilAnswered } from "../harness/cluster/until-answered.ts";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

const WITHIN_MS = 60_000;
/** For as long a member that was to lead a stream first answers for its leader. */
const ANSWERS_MS = 11_000;
/** A member that has said nothing of the stream by then was not to lead it. */
const FROZEN_MS = 4_000;
/** It is asked again: a question from before it was ready is never answered. */
const ANSWER_MS = 250;
/** The stream and the cluster have one leader in a third of them: those are no test. */
const ROUNDS = 12;
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

/**
 * Asks the member how many messages the stream has, as one does who takes its word.
 *
 * @param behind called once it says fewer than there are
 * @returns the fewest that it said
 */
async function fewestTold(
  member: NatsConnection,
  stream: string,
  until: number,
  behind: () => void,
): Promise<number> {
  let told = Infinity;
  const jsm = await jetstreamManager(member, { checkAPI: false, timeout: ANSWER_MS });
  while (performance.now() < until && !member.isClosed()) {
    await jsm.streams.info(stream).then(
      ({ state }) => (told = Math.min(told, state.messages)),
      () => "it says nothing, which is right",
    );
    if (told < MESSAGES) behind();
  }
  return told;
}

interface Seen {
  /** How many steps a client of the member found. */
  readonly found: ReadonlySet<number>;
  /** The fewest that the member said there are. */
  readonly told: number;
}

/**
 * Has a member be killed that was to lead a stream first, and be asked when it is back.
 *
 * A member forgets that it was to lead what it finds assigned to it when it starts: not what it is
 * told of a moment later. That is so of what the cluster did last before it was killed, where the
 * cluster has the same leader as before.
 *
 * @returns undefined where the stream's leader is the cluster's as well
 */
async function afterRestart(cluster: DividedCluster, namespace: string): Promise<Seen | undefined> {
  const name = `${namespace}-journal`;
  const options = { namespace, replicas: 3, env: {} };
  await using client = await connect({ ...options, servers: [...cluster.urls] });
  // Connected beforehand: a first connect to a member that starts can outlast the fault.
  await using clients = new AsyncDisposableStack();
  const theirs = new Map<LaunchedServer, Millrace>();
  for (const member of cluster.members)
    theirs.set(member, clients.use(await connect({ ...options, servers: member.url })));
  const write = (n: number) =>
    untilAnswered(() => client.broker.journal.write(run, { name: "step", n }, Uint8Array.of(n)));
  await write(0);
  const back = await cluster.leaderOf(name);
  const there = theirs.get(back);
  if (back === (await cluster.leaderOf("the cluster")) || there === undefined) return undefined;
  await back.kill();
  for (let n = 1; n < MESSAGES; n += 1) await write(n);
  const leader = await leadingTheStreamOnly(cluster, name, cluster.others(back));
  // Nobody brings it up to date before it has been asked.
  await leader.pause();
  try {
    const restarted = back.restart();
    await using member = await connectToMember(back.url);
    const until = performance.now() + ANSWERS_MS;
    const behind = Promise.withResolvers<void>();
    const listening = fewestTold(member, name, until, behind.resolve);
    const goesOn = Promise.race([behind.promise, sleep(FROZEN_MS)]).then(leader.resume);
    const found = new Set<number>();
    while (performance.now() < until)
      found.add((await untilAnswered(() => there.broker.journal.read(run))).length);
    await Promise.all([goesOn, restarted]);
    return { found, told: await listening };
  } finally {
    leader.resume();
  }
}

/** The stream's leader, which isn't the cluster's: another goes on telling of what there is. */
async function leadingTheStreamOnly(
  cluster: DividedCluster,
  stream: string,
  among: readonly LaunchedServer[],
): Promise<LaunchedServer> {
  const first = await cluster.leaderOf("the cluster", among);
  const leader = among.find((member) => member !== first);
  if (leader === undefined) throw new Error("two members are there");
  await cluster.haveLead(leader, stream, undefined, among);
  return leader;
}

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(
    `a member that was to lead a stream first, and is back (${nameOf(target)})`,
    () => {
      test("what it answers from its disk is not taken for what is on record", async () => {
        if (target.state === "missing") return;
        outOfCluster();
        const cluster = await DividedCluster.launch(target.path);
        let seen: Seen | undefined;
        for (let round = 0; round < ROUNDS; round += 1) {
          seen = (await afterRestart(cluster, `r3-${round}`)) ?? seen;
          if (seen === undefined) continue;
          expect([...seen.found]).toEqual([MESSAGES]);
          // Newer servers find the leader before they say anything.
          if (target.generation !== "2.10" || seen.told < MESSAGES) break;
        }
        // Else this was no test.
        if (target.generation === "2.10") expect(seen?.told).toBeLessThan(MESSAGES);
        else expect(seen).toBeDefined();
      }, 240_000);
    },
  );
}
