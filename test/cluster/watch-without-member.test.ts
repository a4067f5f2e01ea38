import { launchCluster } from "@millrace/nats-server";
import { describe, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { REPLICAS } from "../harness/cluster/mode.ts";
import { leaderOf } from "../harness/cluster/streams-of.ts";
import { eventually, within } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";
import { connectTo } from "../reliability/programs/connect.ts";

/** Of which some would lie on the dead member: one in three on 2.10. */
const WATCHES = 12;
/** Each try has two seconds, and one in three comes to nothing. */
const ANSWERED_MS = 90_000;

for (const target of serversUnderTest()) {
  describe.skipIf(target.state === "missing")(`a cluster (${nameOf(target)})`, () => {
    test("without one of its members has its buckets watched all the same", async () => {
      if (target.state === "missing") return;
      const cluster = await launchCluster({ path: target.path });
      cleanUpLater(() => cluster.dispose());
      const namespace = "watched";
      const [first, second, third] = cluster.members;
      if (first === undefined || second === undefined || third === undefined) throw new Error();
      // Whoever watches is connected to one that stays.
      const broker = await connectTo({
        ...{ servers: `${first.url},${second.url}`, namespace, replicas: REPLICAS },
      });
      cleanUpLater(() => broker.close());
      const bucket = await broker.documents("notes");
      await bucket.put("a", { n: 1 });
      await third.kill();
      await eventually(() => leaderOf([first.url], `KV_${namespace}-notes`), {
        ...{ withinMs: 60_000, describe: "the bucket has a leader" },
      });
      const heard = new Set<number>();
      const watches = await within(
        Promise.all(
          Array.from({ length: WATCHES }, (_, n) => bucket.watch(() => void heard.add(n))),
        ),
        ANSWERED_MS,
        "each watch is there",
      );
      await bucket.put("b", { n: 2 });
      await eventually(() => heard.size === WATCHES, {
        ...{ withinMs: 30_000, describe: () => `${heard.size} of ${WATCHES} hear of a change` },
      });
      expect(heard.size).toBe(WATCHES);
      for (const watch of watches) await watch.stop();
    }, 300_000);
  });
}
