import { connect, createNode, defineJob } from "millrace";
import { expect, it, vi } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { describeServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(120_000) });

const order = defineJob<null, null, number>({ name: "order", queue: "orders", steps: true });

describeServer("a step under which the stream of records is removed", "newest", (server) => {
  it("is on record in the next one, and has run once", async () => {
    const namespace = server.namespace();
    const connection = { servers: server.url, namespace, env: {} };
    const millrace = await connect(connection);
    cleanUpLater(() => millrace.close());
    const { jsm } = await administrator(server);
    let ran = 0;
    const node = await createNode({
      ...connection,
      jobs: [
        order.handler(async ({ step }) => {
          await step.run("first", () => 1);
          await step.run("charge", async () => {
            ran += 1;
            if (ran === 1) await jsm.streams.delete(`${namespace}-journal`);
          });
          await step.sleep("rest", "10ms");
          return ran;
        }),
      ],
    });
    cleanUpLater(() => node.stop());
    await node.start();
    const handle = await millrace.enqueue(order, null);
    expect(await handle.result({ timeout: patient(60_000) })).toBe(1);
  });
});
