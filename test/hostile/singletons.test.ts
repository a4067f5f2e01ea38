import { createNode, defineJob } from "millrace";
import { expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { asRole, operatorOf, passwordServer } from "../permissions/roles.ts";

const settle = "payments.settle";

describeEachServer(
  "a singleton's key that a producer writes into its payload",
  (server) => {
    it("takes the lock of no job that has no key, in another queue or its own", async () => {
      const gate = Promise.withResolvers<void>();
      const held: string[] = [];
      const sync = defineJob<{ key: string }>({
        ...{ name: "mail.sync", queue: "mail", singleton: { key: ({ key }) => key } },
      });
      const settling = defineJob<unknown>({
        ...{ name: settle, queue: "payments", singleton: { onBusy: "skip" } },
      });
      const node = await createNode({
        ...{ servers: server.url, user: "node", password: "node" },
        jobs: [
          sync.handler(async ({ input }) => {
            held.push(input.key);
            await gate.promise;
          }),
          settling.handler(() => "settled"),
        ],
      });
      cleanUpLater(() => node.stop());
      await node.start();
      const operator = await operatorOf(server);
      const shop = await asRole(server, "shop");
      const keys = [settle, `key:${settle}`, `singleton/${settle}`];
      for (const key of keys)
        await shop.request(
          "millrace.jobs.mail",
          JSON.stringify({ name: "mail.sync", payload: { key } }),
          { timeout: 5_000 },
        );
      await eventually(() => held.length === keys.length, {
        withinMs: 20_000,
        describe: "the producer's jobs hold their locks",
      });
      const handle = await operator.enqueue(settling, null);
      expect(await handle.result({ timeout: "20s" })).toBe("settled");
      gate.resolve();
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
