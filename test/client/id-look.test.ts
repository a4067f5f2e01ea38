import { connect, defineJob } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

const config = `
authorization {
  users: [
    { user: all, password: all }
    {
      user: some, password: some
      permissions: { publish: { allow: [">"], deny: ["$JS.API.STREAM.MSG.GET.millrace-queue-secret"] } }
    }
  ]
}
`;
const secret = defineJob<{ n: number }>({ name: "secret", queue: "secret" });
const open = defineJob<{ n: number }>({ name: "open", queue: "open" });
const PATIENCE_MS = 60_000;

describeEachServer(
  "a look for an id",
  (server) => {
    const as = async (user: string) => {
      const client = await connect({ servers: server.url, user, password: user, env: {} });
      onTestFinished(() => client.close());
      return client;
    };

    test("that is denied of one queue is made of the others", async () => {
      const all = await as("all");
      for (const queue of ["secret", "open"])
        await all.broker.queues.ensure(queue, { dedupeWindowMs: 100 });
      const some = await as("some");
      expect(await some.enqueue(secret, { n: 1 }, { id: "a" })).toMatchObject({ duplicate: false });
      await all.enqueue(open, { n: 1 }, { id: "a" });
      const plain = { id: "plain", once: false };
      await all.enqueue(open, { n: 1 }, plain);
      await eventually(async () => !(await all.enqueue(open, { n: 1 }, plain)).duplicate, {
        withinMs: PATIENCE_MS,
        describe: "the queue has forgotten an id",
      });
      // In another lane nothing but a look finds it.
      expect(await some.enqueue(open, { n: 2 }, { id: "a", priority: "high" })).toMatchObject({
        duplicate: true,
      });
    });

    test("by a closed client says so, also of its first id", async () => {
      const client = await as("all");
      await client.broker.queues.ensure("open");
      await client.close();
      await expect(client.enqueue(open, { n: 1 }, { id: "b" })).rejects.toMatchObject({
        name: "MillraceError",
        code: "connection-closed",
      });
    });
  },
  {
    config,
    connectWith: { user: "all", pass: "all" },
    singleServer: "the rights are what it is about",
  },
);
