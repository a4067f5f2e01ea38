import { connect, createNode, defineJob } from "millrace";
import { expect, it, vi } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(240_000) });

const price = defineJob<{ item: string }, { item: string }, number>({
  name: "price",
  queue: "prices",
});
const offer = defineJob<{ items: string[] }>({ name: "offer", queue: "offers", steps: true });

describeEachServer("a job that calls others", (server) => {
  it("has their results, from a node that has no steps, and leaves nothing behind", async () => {
    const namespace = server.namespace();
    const options = { servers: server.url, namespace, env: {} };
    const millrace = await connect(options);
    cleanUpLater(() => millrace.close());
    const caller = offer.handler(async ({ input, step }) => {
      const prices = await Promise.all(
        input.items.map((item) => step.call(price, { item }, { name: `price of ${item}` })),
      );
      return prices.reduce((sum, one) => sum + one, 0);
    });
    const runs: string[] = [];
    const called = price.handler(({ input }) => (runs.push(input.item), input.item.length));
    for (const [name, job] of [
      ["calling", caller],
      ["called", called],
    ] as const) {
      const node = await createNode({ ...options, nodeName: name, jobs: [job] });
      await node.start();
      cleanUpLater(() => node.stop());
    }
    const handle = await millrace.enqueue(offer, { items: ["tea", "cake"] });
    expect(await handle.result({ timeout: "2m" })).toBe(7);
    expect(runs.toSorted()).toEqual(["cake", "tea"]);
    const { jsm } = await administrator(server);
    await eventually(
      async () => (await jsm.streams.info(`${namespace}-journal`)).state.messages === 0,
      { withinMs: 60_000, describe: "no step is left on record" },
    );
  });
});
