import { connect as connectNats, headers } from "@nats-io/transport-node";
import { connect, defineJob } from "millrace";
import { describe, expect, test } from "vitest";
import { DividedCluster } from "../harness/cluster/divided-cluster.ts";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

const STREAM = "shop-queue-mail";
const SUBJECT = "shop.jobs.mail.normal.order-7";

for (const target of serversUnderTest()) {
  // 2.10 refuses nothing because of what is not agreed on yet.
  if (target.state === "missing" || target.generation === "2.10") continue;
  describe(`a leader that was cut off (${nameOf(target)})`, () => {
    test("a job on whose subject lies what no majority has is not called a duplicate, and is stored in the end", async () => {
      outOfCluster();
      const cluster = await DividedCluster.launch(target.path);
      const options = { servers: [...cluster.urls], namespace: "shop", env: {} };
      await using owner = await connect(options);
      await owner.queues.ensure("mail", { replicas: 3 });
      const leader = await cluster.leaderOf(STREAM);
      await using stranger = await connectNats({ servers: leader.url });
      await using shop = await connect({ ...options, servers: leader.url });
      const mail = defineJob({ name: "mail", queue: "mail" });
      await shop.enqueue(mail, null, { id: "before" });

      const heal = cluster.isolate(leader, "blackhole", 0);
      // It lies with this member only, and goes once the others have chosen another.
      stranger.publish(SUBJECT, "{}", { reply: "nobody" });
      const onlyFirst = headers();
      onlyFirst.set("Nats-Expected-Last-Subject-Sequence", "0");
      await eventually(
        async () => {
          const told = await stranger.request(SUBJECT, "{}", {
            headers: onlyFirst,
            timeout: 5_000,
          });
          return told.json<{ error?: { err_code?: number } }>().error?.err_code === 10164;
        },
        { withinMs: 30_000, describe: "a second message is refused because of the first" },
      );
      const enqueued = shop.enqueue(mail, null, { id: "order-7" });
      await cluster.leaderOf(STREAM, cluster.others(leader));
      await heal();
      expect(await enqueued).toMatchObject({ id: "order-7", duplicate: false });
      expect(await owner.jobs.get("order-7", { queue: "mail" })).toMatchObject({ state: "queued" });
    }, 240_000);
  });
}
