import { connect as connectNats } from "@nats-io/transport-node";
import { connect } from "millrace";
import { describe, expect, test } from "vitest";
import { DividedCluster } from "../harness/cluster/divided-cluster.ts";
import { leaderAsKnownTo } from "../harness/cluster/members.ts";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { untilAnswered } from "../harness/cluster/until-answered.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

const WITHIN_MS = 60_000;
/**
 * It leads on for some 10 s without the others, who need up to 9 s for their election and then make
 * a stream: on a busy machine it may have given up before.
 */
const ROUNDS = 8;
const NO_STREAM = 10059;
/** A leader without a majority that knows so gives no answer. */
const ANSWER_MS = 1_000;
const run = { queue: "orders", id: "o-1", createdAt: 1 };

interface Answer {
  readonly error?: { readonly err_code: number };
}

/** Who leads the cluster itself: it knows which streams there are. */
async function metaLeaderOf({ members }: DividedCluster) {
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
 * Keeps all news from the leader of the cluster, has a stream made by the others, and lets the news
 * reach it as soon as it has spoken of that stream.
 *
 * @returns what it says of that stream to who takes its word, and how many steps a client of its
 *   own finds
 */
async function withoutNews(
  cluster: DividedCluster,
  namespace: string,
): Promise<{ readonly said: number | undefined; readonly found: number }> {
  const leader = await metaLeaderOf(cluster);
  const others = cluster.others(leader).map(({ url }) => url);
  const options = { namespace, replicas: 3, env: {} };
  await using there = await connect({ ...options, servers: leader.url });
  await using bystander = await connectNats({ servers: leader.url });
  await using elsewhere = await connect({ ...options, servers: others });
  const heal = cluster.isolate(leader, "blackhole", 0);
  try {
    // The first step of all makes their stream.
    const data = Uint8Array.of(1);
    await untilAnswered(() => elsewhere.broker.journal.write(run, { name: "step", n: 0 }, data));
    const read = untilAnswered(() => there.broker.journal.read(run));
    const said = await bystander
      .request(`$JS.API.STREAM.INFO.${namespace}-journal`, "", { timeout: ANSWER_MS })
      .then((answer) => answer.json<Answer>().error?.err_code)
      .catch(() => undefined);
    const healed = heal();
    const found = (await read).length;
    await healed;
    return { said, found };
  } finally {
    await heal();
  }
}

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(
    `the leader of a cluster that had no news for a while (${nameOf(target)})`,
    () => {
      test("is not believed that there is no stream, which the others have made", async () => {
        if (target.state === "missing") return;
        outOfCluster();
        const cluster = await DividedCluster.launch(target.path);
        const said: (number | undefined)[] = [];
        for (let round = 0; round < ROUNDS && !said.includes(NO_STREAM); round += 1) {
          const seen = await withoutNews(cluster, `alone-${round}`);
          expect(seen.found).toBe(1);
          said.push(seen.said);
        }
        // Else this was no test.
        expect(said).toContain(NO_STREAM);
      }, 240_000);
    },
  );
}
