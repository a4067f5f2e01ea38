import { connect, createNode, defineJob, defineMachine } from "millrace";
import { beforeEach, expect, it, vi } from "vitest";
import { type PromiseActorLogic, setup } from "xstate";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(180_000) });

const QUEUE = "tills";
const IDS = ["a", "b", "c", "d", "e", "f"] as const;

interface Input {
  readonly shop: string;
}

const chart = setup({
  types: { context: {} as Input, input: {} as Input },
  actors: { pay: {} as PromiseActorLogic<string, Input> },
}).createMachine({
  context: ({ input }) => input,
  initial: "paying",
  states: {
    paying: { invoke: { src: "pay", input: ({ context }) => context, onDone: "paid" } },
    paid: { type: "final" },
  },
});

const anyShop = defineJob<Input, Input, string>({ name: "pay", queue: QUEUE });
const oneAShop = defineJob<Input, Input, string>({
  ...{ name: "pay", queue: QUEUE },
  concurrency: { key: ({ shop }) => shop, limit: 1 },
});

/** Two nodes that host the machines and run their jobs, which are at work until they are let go. */
async function scene(server: TestServer, pay: typeof anyShop) {
  const connection = { servers: server.url, namespace: server.namespace(), env: {} };
  const client = await connect(connection);
  cleanUpLater(() => client.close());
  await client.queues.ensure(QUEUE);
  const till = defineMachine({ name: "till", machine: chart, jobs: { pay } });
  const gate = Promise.withResolvers<void>();
  const seen = { starts: 0, atOnce: new Map<string, number>(), most: new Map<string, number>() };
  const change = (shop: string, by: 1 | -1): void => {
    const now = (seen.atOnce.get(shop) ?? 0) + by;
    seen.atOnce.set(shop, now);
    seen.most.set(shop, Math.max(now, seen.most.get(shop) ?? 0));
  };
  const handler = pay.handler(async ({ input: { shop } }) => {
    seen.starts += 1;
    change(shop, 1);
    await gate.promise;
    // Long enough for another that may start.
    await client.queues.snapshot(QUEUE);
    change(shop, -1);
    return shop;
  });
  const host = async (): Promise<void> => {
    const node = await createNode({ ...connection, jobs: [handler], machines: [till] });
    cleanUpLater(() => node.stop());
    await node.start();
  };
  const startAll = (shopOf: (id: string) => string) =>
    Promise.all(IDS.map((id) => client.machine(till, id).start({ shop: shopOf(id) })));
  const until = (describe: string, waiting: "queued" | "blocked", counts: [number, number]) =>
    eventually(
      async () => {
        const { running, ...others } = await client.queues.snapshot(QUEUE);
        return seen.starts === counts[0] && running === counts[0] && others[waiting] === counts[1];
      },
      { withinMs: patient(30_000), describe },
    );
  const allPaid = async (): Promise<void> => {
    for (const id of IDS)
      expect(
        await client
          .machine(till, id)
          .waitFor(({ status }) => status !== "active", { timeout: "2m" }),
      ).toMatchObject({ status: "done", value: "paid" });
    expect(seen.starts).toBe(IDS.length);
    expect([...seen.atOnce.values()].every((count) => count === 0)).toBe(true);
  };
  return { client, host, startAll, until, allPaid, letGo: gate.resolve, seen };
}

describeEachServer("a job that machines invoke", (server) => {
  // It counts starts, and what an election cuts off starts again.
  beforeEach(() => server.calm());

  it("runs as often at once as there are machines, where nothing limits it", async () => {
    const { host, startAll, until, allPaid, letGo, seen } = await scene(server, anyShop);
    await Promise.all([host(), host()]);
    await startAll(() => "north");
    await until("all run", "queued", [IDS.length, 0]);
    letGo();
    await allPaid();
    expect(seen.most.get("north")).toBe(IDS.length);
  });

  it("is never at work twice under a queue's cap of one, and all machines end", async () => {
    const { client, host, startAll, until, allPaid, letGo, seen } = await scene(server, anyShop);
    await client.queues.set(QUEUE, { concurrency: 1 });
    await Promise.all([host(), host()]);
    await startAll(() => "north");
    await until("one runs, the rest wait in the queue", "queued", [1, IDS.length - 1]);
    letGo();
    await allPaid();
    expect(seen.most).toEqual(new Map([["north", 1]]));
  });

  it("is at work once for each key of its own cap, and all machines end", async () => {
    const { host, startAll, until, allPaid, letGo, seen } = await scene(server, oneAShop);
    await Promise.all([host(), host()]);
    await startAll((id) => (id < "d" ? "north" : "south"));
    await until("one of each shop runs, the rest are blocked", "blocked", [2, IDS.length - 2]);
    letGo();
    await allPaid();
    expect(seen.most).toEqual(new Map(["north", "south"].map((shop) => [shop, 1])));
  });

  it("waits for a queue's rate, and goes on when that is taken away", async () => {
    const { client, host, startAll, until, allPaid, letGo } = await scene(server, anyShop);
    await client.queues.set(QUEUE, { rate: { limit: 2, per: "1h" } });
    await Promise.all([host(), host()]);
    await startAll(() => "north");
    await until("two have started, the rest wait", "queued", [2, IDS.length - 2]);
    await client.queues.set(QUEUE, { rate: null });
    await until("all run", "queued", [IDS.length, 0]);
    letGo();
    await allPaid();
  });
});
