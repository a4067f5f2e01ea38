import { connect, createNode, defineJob } from "millrace";
import { expect, it, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(240_000) });

const order = defineJob<null>({ name: "order", queue: "orders", steps: true });

describeEachServer("a webhook that repeats its signals", (server) => {
  it("is not refused: what was taken takes no room", async () => {
    const connection = { servers: server.url, namespace: server.namespace(), env: {} };
    const millrace = await connect(connection);
    cleanUpLater(() => millrace.close());
    const node = await createNode({
      ...connection,
      jobs: [
        order.handler(async ({ step }) => {
          const items: unknown[] = [];
          for (let n = 0; n < 4; n += 1) items.push(await step.waitFor("item"));
          return items;
        }),
      ],
    });
    await node.start();
    cleanUpLater(() => node.stop());
    const handle = await millrace.enqueue(order, null, { id: "o-1" });
    const waitsFor = (step: number) =>
      eventually(
        async () => {
          const { state, steps } = await handle.status();
          return state === "delayed" && steps?.length === step && steps.at(-1)?.state === "waiting";
        },
        { withinMs: 60_000, describe: `the step ${step} waits` },
      );
    const items = ["a", "b", "c"];
    for (const [n, item] of items.entries()) {
      await waitsFor(n + 1);
      // Whatever was sent before was taken, or repeats what was: no signal waits for the job.
      const id = `item-${item}`;
      for (let sent = 0; sent < 49; sent += 1)
        await millrace.signal("orders", "o-1", "item", item, { id });
    }
    await waitsFor(items.length + 1);
    await millrace.signal("orders", "o-1", "item", "d");
    expect(await handle.result({ timeout: "30s" })).toEqual(["a", "b", "c", "d"]);
  });
});
