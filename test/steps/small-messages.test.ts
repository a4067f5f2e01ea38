import { connect, createNode, defineJob } from "millrace";
import { expect, it, vi } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(120_000) });

/** A job of a producer may have less than this. */
const LARGE = 60_000;
const read = defineJob<null, null, number>({ name: "read", queue: "orders", steps: true });
const order = defineJob<null, null, number>({ name: "order", queue: "orders", steps: true });

describeServer(
  "steps on a server that takes small messages",
  "newest",
  (server) => {
    it("have results and signals that are as large as it takes", async () => {
      const namespace = server.namespace();
      const connection = { servers: server.url, namespace, env: {} };
      const millrace = await connect(connection);
      cleanUpLater(() => millrace.close());
      const node = await createNode({
        ...connection,
        jobs: [
          read.handler(async ({ step }) => {
            const text = await step.run("read", () => "x".repeat(LARGE));
            await step.sleep("rest", "10ms");
            return text.length;
          }),
          order.handler(async ({ step }) => (await step.waitFor<string>("approval"))?.length ?? 0),
        ],
      });
      cleanUpLater(() => node.stop());
      await node.start();
      const timeout = patient(60_000);
      const handle = await millrace.enqueue(read, null);
      expect(await handle.result({ timeout })).toBe(LARGE);

      const waiting = await millrace.enqueue(order, null, { id: "o-1" });
      await eventually(async () => (await waiting.status()).state === "delayed", {
        ...{ withinMs: timeout, describe: "the job waits" },
      });
      const tooLarge = millrace.signal(order, "o-1", "approval", "x".repeat(64_000));
      await expect(tooLarge).rejects.toMatchObject({ code: "payload-too-large" });
      // The server takes it as a message, and no record that says more than it.
      const { nc } = await administrator(server);
      const subject = `${namespace}.signal.orders.o-1.approval`;
      await nc.request(subject, JSON.stringify("x".repeat(65_500)), { timeout });
      await millrace.signal(order, "o-1", "approval", "x".repeat(LARGE));
      expect(await waiting.result({ timeout })).toBe(LARGE);
    });
  },
  { config: "max_payload: 65536" },
);
