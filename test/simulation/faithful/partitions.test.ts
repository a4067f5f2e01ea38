import { setTimeout as pause } from "node:timers/promises";
import type { LaunchedServer } from "@millrace/nats-server";
import { connect } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { DividedCluster } from "../../harness/cluster/divided-cluster.ts";
import { leaderAsKnownTo } from "../../harness/cluster/members.ts";
import { eventually } from "../../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../../harness/servers.ts";
import { FLAVOURS } from "../jetstream/flavour.ts";
import { knownEverywhere } from "./known-everywhere.ts";
import { PARTED } from "./partition-scripts.ts";
import { heard, heardFromModel, type ModelFailure } from "./peers.ts";
import type { Script } from "./scripts.ts";

const PLACE = { replicas: 3, leaseMs: 3_000 };
const ELECTION_MS = 60_000;
/** Of the stream and of its consumer. */
const GROUPS = ["Q", "Q W"];
/** Longer than the lease, as every partition is that the majority notices. */
const MODEL_PARTED_MS = 10_000;

// The newest alone: 2.10 was seen to keep, once in a while, what its leader had delivered without a
// majority. Its lease then has to run out first, and what comes in which order is not the same.
for (const target of serversUnderTest().filter(({ generation }) => generation === "newest")) {
  const title = `the model is parted from a majority as ${nameOf(target)} is`;
  describe.skipIf(target.state === "missing")(title, { timeout: 240_000 }, () => {
    test.each(PARTED)("$name", async (script) => {
      if (target.state === "missing") throw new Error(target.reason);
      const [real, model] = await Promise.all([
        heardFromDivided(target.path, script),
        heardFromModel(FLAVOURS["2.15"], script, PARTED_MODEL),
      ]);
      expect(model).toEqual(real);
    });
  });
}

/** What the member says to a script that leads the stream Q and its consumer W. */
async function heardFromDivided(path: string, script: Script): Promise<readonly string[]> {
  const cluster = await DividedCluster.launch(path);
  const [member] = cluster.members;
  if (member === undefined) throw new Error("a cluster has members");
  const [other] = cluster.others(member);
  await using nc = await connect({ servers: member.url });
  await knownEverywhere(nc, cluster.urls);
  return await heard(nc, script, {
    ...PLACE,
    pause: (ms) => pause(ms),
    now: () => Date.now(),
    fail: () => Promise.reject(new Error("it is parted, and does not fail")),
    part: async () => {
      const heal = await partedLeader(cluster, member);
      return async () => {
        for (const group of GROUPS)
          await eventually(
            async () => {
              const leader = other && (await leaderAsKnownTo(other, group));
              return leader !== undefined && leader !== member.name;
            },
            { withinMs: ELECTION_MS, everyMs: 100, describe: `the majority leads ${group}` },
          );
        await heal();
      };
    },
  });
}

/**
 * Cuts the member off while it leads the stream and its consumer. On a busy machine another may
 * have been elected meanwhile, and then what its clients say waits in the black hole.
 *
 * @returns ends it
 */
async function partedLeader(
  cluster: DividedCluster,
  member: LaunchedServer,
): Promise<() => Promise<void>> {
  return eventually(
    async () => {
      await cluster.haveLead(member, "Q");
      await cluster.haveLead(member, "Q", "W");
      const heal = cluster.isolate(member, "blackhole", PLACE.leaseMs);
      const leaders = await Promise.all(GROUPS.map((group) => leaderAsKnownTo(member, group)));
      if (leaders.every((leader) => leader === member.name)) return heal;
      await heal();
      return undefined;
    },
    { withinMs: 2 * ELECTION_MS, describe: `${member.name} is cut off as the leader of both` },
  );
}

const PARTED_MODEL: ModelFailure = {
  ...PLACE,
  fail: () => Promise.reject(new Error("it is parted, and does not fail")),
  part: async (server, pauseFor) => {
    server.part();
    return async () => {
      await pauseFor(MODEL_PARTED_MS);
      server.heal();
    };
  },
};
