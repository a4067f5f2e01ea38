import { connect as connectNats } from "@nats-io/transport-node";
import { launchCluster, type LaunchedCluster } from "@millrace/nats-server";
import { connect } from "millrace";
import { describe, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { hearMonitorOf, leaderAsKnownTo, MONITOR_CONFIG } from "../harness/cluster/members.ts";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { untilAnswered } from "../harness/cluster/until-answered.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

const WITHIN_MS = 60_000;
/** It may hear of the next leader before it is asked. */
const ROUNDS = 8;
const NO_STREAM = 10059;
/** Of each kind at once. */
const ASKING = 8;
const run = { queue: "orders", id: "o-1", createdAt: 1 };

interface Answer {
  readonly error?: { readonly err_code: number };
}

/** Who leads the cluster itself: it knows which streams there are. */
async function metaLeaderOf({ members }: LaunchedCluster) {
  let leader: string | undefined;
  await eventually(
    async () => {
      const known = await Promise.all(
        members.map((member) => leaderAsKnownTo(member, "the cluster")),
      );
      [leader] = known;
      return leader !== undefined && known.every((one) => one === leader);
    },
    { withinMs: WITHIN_MS, describe: "all members know one leader of the cluster" },
  );
  const found = members.find(({ name }) => name === leader);
  if (found === undefined) throw new Error("the leader is no member");
  return found;
}

/**
 * Freezes the leader of the cluster, has a stream made by the others, and lets it go on.
 *
 * @returns what it says of that stream to who takes its word, and how many steps a client of its
 *   own finds
 */
async function standStill(
  cluster: LaunchedCluster,
  namespace: string,
): Promise<{ readonly said: ReadonlySet<number>; readonly found: ReadonlySet<number> }> {
  const frozen = await metaLeaderOf(cluster);
  const others = cluster.urls.filter((url) => url !== frozen.url);
  const options = { namespace, replicas: 3, env: {} };
  await using there = await connect({ ...options, servers: frozen.url });
  // Each on a connection of its own: some are heard before the news of the next leader.
  const bystanders = await Promise.all(
    Array.from({ length: ASKING }, () =>
      connectNats({ servers: frozen.url, ignoreClusterUpdates: true }),
    ),
  );
  await using elsewhere = await connect({ ...options, servers: others });
  await frozen.pause();
  try {
    // The first step of all makes their stream.
    const data = Uint8Array.of(1);
    await untilAnswered(() => elsewhere.broker.journal.write(run, { name: "step", n: 0 }, data));
    const info = bystanders.map((nc) =>
      nc.request(`$JS.API.STREAM.INFO.${namespace}-journal`, "", { timeout: WITHIN_MS }),
    );
    const reads = bystanders.map(() => untilAnswered(() => there.broker.journal.read(run)));
    // By the time of an answer from the others, what was asked lies in the frozen one's sockets.
    await untilAnswered(() => elsewhere.broker.journal.read(run));
    frozen.resume();
    const answers = (await Promise.all(info)).map((one) => one.json<Answer>().error?.err_code ?? 0);
    const found = (await Promise.all(reads)).map((steps) => steps.length);
    await Promise.all(bystanders.map((nc) => nc.close()));
    return { said: new Set(answers), found: new Set(found) };
  } finally {
    frozen.resume();
  }
}

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(
    `the leader of a cluster that stood still (${nameOf(target)})`,
    () => {
      test("is not believed that there is no stream, which the others have made", async () => {
        if (target.state === "missing") return;
        outOfCluster();
        const cluster = await launchCluster({
          path: target.path,
          advertise: false,
          config: MONITOR_CONFIG,
        });
        cleanUpLater(() => cluster.dispose());
        cluster.members.forEach(hearMonitorOf);
        const said: number[] = [];
        for (let round = 0; round < ROUNDS && !said.includes(NO_STREAM); round += 1) {
          const seen = await standStill(cluster, `still-${round}`);
          expect([...seen.found]).toEqual([1]);
          said.push(...seen.said);
        }
        // Else this was no test.
        expect(said).toContain(NO_STREAM);
      }, 240_000);
    },
  );
}
