import { launchCluster } from "@millrace/nats-server";
import { connect, defineJob } from "millrace";
import { describe, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { leaderOf } from "../harness/cluster/streams-of.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

/** A producer as deploy/nats/ has it: it may publish, and ask for nothing. */
const AUTHORIZATION = `
authorization {
  users: [
    { user: owner, password: o }
    { user: shop, password: s, permissions: {
      publish: ["shop.jobs.>"]
      subscribe: ["_INBOX.>"]
    } }
  ]
}
`;

const OWNER = { user: "owner", pass: "o" };

for (const target of serversUnderTest()) {
  if (target.state === "missing") continue;
  // The wait is the same: one generation is enough for every run, the other has its turn with
  // `npm test -- --cluster=2.10`.
  if (target.generation === "2.10" && process.env["MILLRACE_TEST_CLUSTER"] !== "2.10") continue;
  describe(`a producer that may not ask which queues there are (${nameOf(target)})`, () => {
    test("waits for an election; of a queue that is not there it is told in the end", async () => {
      outOfCluster();
      const cluster = await launchCluster({
        path: target.path,
        config: AUTHORIZATION,
        connectWith: OWNER,
      });
      cleanUpLater(() => cluster.dispose());
      const options = { servers: cluster.urls, namespace: "shop", env: {} };
      await using owner = await connect({ ...options, user: "owner", password: "o" });
      await owner.queues.ensure("mail", { replicas: 3 });
      const leader = await leaderOf(cluster.urls, "shop-queue-mail", OWNER);
      const victim = cluster.members.find(({ name }) => name === leader);
      expect(victim).toBeDefined();
      const servers = cluster.members.flatMap(({ name, url }) => (name === leader ? [] : url));
      await using shop = await connect({ ...options, servers, user: "shop", password: "s" });

      const mail = defineJob({ name: "mail", queue: "mail" });
      await shop.enqueue(mail, null, { id: "before" });
      const isAtomic = target.generation === "newest";
      if (isAtomic) await owner.enqueueMany(mail, [{ input: null }], { atomic: true });
      await victim?.kill();
      const together = [owner, shop].map(async (client, at) => {
        const jobs = [1, 2].map((n) => ({ input: null, id: `together-${at}-${n}` }));
        return isAtomic ? client.enqueueMany(mail, jobs, { atomic: true }) : [];
      });
      expect(await shop.enqueue(mail, null, { id: "meanwhile" })).toMatchObject({
        id: "meanwhile",
        duplicate: false,
      });
      for (const results of await Promise.all(together))
        expect(results).toEqual(results.map(() => expect.objectContaining({ ok: true })));
      const nowhere = defineJob({ name: "nowhere", queue: "nowhere" });
      await expect(shop.enqueue(nowhere, null)).rejects.toMatchObject({ code: "queue-not-found" });
    }, 180_000);
  });
}
