import { connect, defineJob } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { describeServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: 300_000 });

const send = defineJob<{ readonly to: string; readonly n: number }>({
  ...{ name: "mail.send", queue: "mail", retry: "none" },
});
const where = "payload.to:ada payload.n>0 tag:vip";

describeServer("a queue of more than 100,000 jobs", "newest", (server) => {
  test("has none that an operation misses behind those that do not fit", async () => {
    const connection = { servers: server.url, namespace: server.namespace(), env: {} };
    const client = await connect(connection);
    onTestFinished(() => client.close());
    await client.queues.ensure("mail");
    for (let part = 0; part < 11; part += 1)
      await client.enqueueMany(
        send,
        Array.from({ length: 9_100 }, (_, n) => ({ input: { to: "bob", n } })),
      );
    await client.enqueue(send, { to: "ada", n: 1 }, { id: "last", tags: ["vip"] });
    const count = (filter: object): Promise<number> =>
      client.operations.count({ kind: "jobs-cancel", filter: { state: "queued", ...filter } });
    expect(await count({ where: "id=last" })).toBe(1);
    expect(await count({ where })).toBe(1);
    await expect(count({})).rejects.toMatchObject({ code: "invalid-option" });
    expect(await client.jobs.search({ state: "queued", where })).toMatchObject({
      ...{ jobs: [], looked: 100_000, more: true },
    });
  });
});
