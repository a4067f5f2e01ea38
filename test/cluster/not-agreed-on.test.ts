import { UNSETTLED } from "@millrace/core";
import { connect as connectNats, headers, type NatsConnection } from "@nats-io/transport-node";
import { connect, defineJob } from "millrace";
import { describe, expect, test } from "vitest";
import { DividedCluster } from "../harness/cluster/divided-cluster.ts";
import { outOfCluster } from "../harness/cluster/out-of-cluster.ts";
import { eventually } from "../harness/deadline.ts";
import { nameOf, serversUnderTest } from "../harness/servers.ts";

/**
 * Has a leader that is cut off take a message that no majority has: it lies with this member only,
 * and goes once the others have chosen another.
 */
async function notAgreedOn(stranger: NatsConnection, subject: string): Promise<void> {
  stranger.publish(subject, "{}", { reply: "nobody" });
  const onlyFirst = headers();
  onlyFirst.set("Nats-Expected-Last-Subject-Sequence", "0");
  await eventually(
    async () => {
      const told = await stranger.request(subject, "{}", { headers: onlyFirst, timeout: 5_000 });
      return told.json<{ error?: { err_code?: number } }>().error?.err_code === 10164;
    },
    { withinMs: 30_000, describe: "a second message is refused because of the first" },
  );
}

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
      const leader = await cluster.leaderOf("shop-queue-mail");
      await using stranger = await connectNats({ servers: leader.url });
      await using shop = await connect({ ...options, servers: leader.url });
      const mail = defineJob({ name: "mail", queue: "mail" });
      await shop.enqueue(mail, null, { id: "before" });

      const heal = cluster.isolate(leader, "blackhole", 0);
      await notAgreedOn(stranger, "shop.jobs.mail.normal.order-7");
      const enqueued = shop.enqueue(mail, null, { id: "order-7" });
      await cluster.leaderOf("shop-queue-mail", cluster.others(leader));
      await heal();
      expect(await enqueued).toMatchObject({ id: "order-7", duplicate: false });
      expect(await owner.jobs.get("order-7", { queue: "mail" })).toMatchObject({ state: "queued" });
    }, 240_000);

    test("a document on whose key lies what no majority has is no conflict, and is there once it is put", async () => {
      outOfCluster();
      const cluster = await DividedCluster.launch(target.path);
      const options = { servers: [...cluster.urls], namespace: "shop", replicas: 3, env: {} };
      await using owner = await connect(options);
      await (await owner.broker.documents("notes")).put("before", 1, 0);
      const leader = await cluster.leaderOf("KV_shop-notes");
      await using stranger = await connectNats({ servers: leader.url });
      await using shop = await connect({ ...options, servers: leader.url });
      const notes = await shop.broker.documents("notes");
      expect(await notes.get("before")).toMatchObject({ value: 1 });

      const heal = cluster.isolate(leader, "blackhole", 0);
      await notAgreedOn(stranger, "$KV.shop-notes.today");
      const put = notes.put("today", 2, 0);
      await cluster.leaderOf("KV_shop-notes", cluster.others(leader));
      await heal();
      await put;
      expect(await (await owner.broker.documents("notes")).get("today")).toMatchObject({
        value: 2,
      });
    }, 240_000);

    test("a batch on whose subject lies what no majority has is there once it is opened", async () => {
      outOfCluster();
      const cluster = await DividedCluster.launch(target.path);
      const options = { servers: [...cluster.urls], namespace: "shop", replicas: 3, env: {} };
      await using owner = await connect(options);
      const of = { queue: "mail", name: "report", payload: null, createdAt: 1, headers: {} };
      const batch = (id: string) => ({
        id,
        createdAt: 1,
        callback: { ...UNSETTLED, ...of, id: `${id}-ended` },
      });
      await owner.broker.batches.open(batch("before"));
      const leader = await cluster.leaderOf("shop-batches");
      await using stranger = await connectNats({ servers: leader.url });
      await using shop = await connect({ ...options, servers: leader.url });
      await shop.broker.batches.open(batch("before"));

      const heal = cluster.isolate(leader, "blackhole", 0);
      await notAgreedOn(stranger, "shop.batch.reports");
      const opened = shop.broker.batches.open(batch("reports"));
      await cluster.leaderOf("shop-batches", cluster.others(leader));
      await heal();
      await opened;
      expect(await owner.broker.batches.find("reports")).toMatchObject({ id: "reports" });
    }, 240_000);
  });
}
