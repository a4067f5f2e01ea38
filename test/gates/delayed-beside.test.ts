import { connect, defineJob, type Millrace } from "millrace";
import { expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

const WITHIN_MS = 20_000;

interface Payload {
  readonly mark: string;
}

const plain = defineJob<Payload>({ name: "t.plain", queue: "t" });
const called = defineJob<Payload>({ name: "t.called", queue: "c" });
const asks = defineJob<Payload>({ name: "t.asks", queue: "t", steps: true });
const calls = defineJob<Payload>({ name: "t.calls", queue: "t", steps: true });

interface Scene {
  readonly client: Millrace;
  readonly said: string[];
  readonly waiting: (count: number) => Promise<void>;
  readonly has: (what: string, look: () => Promise<boolean> | boolean) => Promise<unknown>;
  /** The called job waits for this. */
  readonly end: () => void;
  /** Enqueues a second job under the id, once its queue has forgotten it, to start in an hour. */
  readonly second: (job: typeof plain) => Promise<void>;
}

async function scene(server: TestServer): Promise<Scene> {
  const namespace = server.namespace();
  const client = await connect({ servers: server.url, namespace, env: {} });
  cleanUpLater(() => client.close());
  await client.broker.queues.ensure("t", { dedupeWindowMs: 200 });
  const said: string[] = [];
  const held = Promise.withResolvers<void>();
  await startNodeOnServer(server, {
    namespace,
    jobs: [
      plain.handler(({ input: { mark } }) => void said.push(`${mark} ran`)),
      called.handler(() => held.promise),
      asks.handler(async ({ input: { mark }, step }) => {
        said.push(`${mark} began`);
        await step.waitFor("approval", { timeout: "20d" });
        said.push(`${mark} went on`);
      }),
      calls.handler(async ({ input: { mark }, step }) => {
        said.push(`${mark} began`);
        await step.call(called, { mark });
        said.push(`${mark} went on`);
      }),
    ],
  });
  const has: Scene["has"] = (what, look) =>
    eventually(look, { withinMs: WITHIN_MS, describe: what });
  const waiting = async (count: number): Promise<void> => {
    await has(`${count} wait`, async () => (await client.broker.delayed.count("t")) === count);
  };
  const second: Scene["second"] = async (job) => {
    await waiting(1);
    await has("the queue has forgotten the id", async () => {
      const options = { id: "x", once: false, delay: "1h" } as const;
      return !(await client.enqueue(job, { mark: "second" }, options)).duplicate;
    });
    await waiting(2);
  };
  return { client, said, has, waiting, end: held.resolve, second };
}

describeEachServer("of two delayed jobs of one id", (server) => {
  it("the one that is cancelled is settled at once, and the other keeps its time", async () => {
    const { client, waiting, second } = await scene(server);
    const options = { id: "x", once: false, delay: "30m" } as const;
    const first = await client.enqueue(plain, { mark: "first" }, options);
    await second(plain);
    const cancelled = await first.cancel("no more", { wait: WITHIN_MS });
    expect(cancelled).toMatchObject({ state: "cancelled" });
    await waiting(1);
  });

  it("the one that waits for a signal goes on, and the other keeps its time", async () => {
    const { client, said, has, waiting, second } = await scene(server);
    await client.enqueue(asks, { mark: "first" }, { id: "x", once: false });
    await second(asks);
    await client.signal(asks, "x", "approval", 1);
    await has("the first goes on", () => said.includes("first went on"));
    expect(said).toEqual(["first began", "first began", "first went on"]);
    await waiting(1);
  });

  it("the one whose called job has ended goes on, and the other keeps its time", async () => {
    const { client, said, has, waiting, end, second } = await scene(server);
    await client.enqueue(calls, { mark: "first" }, { id: "x", once: false });
    await second(calls);
    end();
    await has("the first goes on", () => said.includes("first went on"));
    expect(said).toEqual(["first began", "first began", "first went on"]);
    await waiting(1);
  });
});
