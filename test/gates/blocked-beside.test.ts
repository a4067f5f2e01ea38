import { connect, defineJob } from "millrace";
import { expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const WITHIN_MS = 20_000;

interface Payload {
  readonly tenant: string;
  readonly mark: string;
}

const work = defineJob<Payload>({
  ...{ name: "t.work", queue: "t" },
  retry: { attempts: 3, backoff: "fixed", base: 1, jitter: false },
  concurrency: { key: ({ tenant }) => tenant, limit: 1 },
});

describeEachServer("a job that waits at a gate beside another job of its id", (server) => {
  it("runs when it is let in, whatever the other one has on record", async () => {
    const namespace = server.namespace();
    const client = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());
    const { broker } = client;
    await broker.queues.ensure("t", { dedupeWindowMs: 200 });
    const ran: string[] = [];
    const held = Promise.withResolvers<void>();
    await startNodeOnServer(server, {
      namespace,
      jobs: [
        work.handler(async ({ input: { mark }, attempt }) => {
          ran.push(`${mark} ${attempt}`);
          if (mark === "holder") await held.promise;
          if (mark === "second" && attempt === 1) throw new Error("once more");
        }),
      ],
    });
    const has = (what: string, look: () => Promise<boolean> | boolean): Promise<true> =>
      eventually(look, { withinMs: WITHIN_MS, describe: what }) as Promise<true>;
    const enqueue = async (tenant: string, mark: string): Promise<boolean> =>
      !(await client.enqueue(work, { tenant, mark }, { id: "x", once: false })).duplicate;

    await client.enqueue(work, { tenant: "acme", mark: "holder" });
    await has("the holder runs", () => ran.includes("holder 1"));
    expect(await enqueue("acme", "first")).toBe(true);
    await has("the first one is blocked", async () => (await broker.blocked.count()) === 1);
    await has("the queue has forgotten the id", () => enqueue("bolt", "second"));
    await has("the second one's end is on record", async () =>
      (await broker.history.stored({ queue: "t", id: "x" })).some(
        ({ record }) => record.state === "succeeded",
      ),
    );
    expect(await broker.blocked.count()).toBe(1);
    held.resolve();
    await has("the first one is let in", async () => (await broker.blocked.count()) === 0);
    await has("the first one runs", () => ran.length === 4);
    expect(ran).toEqual(["holder 1", "second 1", "second 2", "first 1"]);
  });
});
