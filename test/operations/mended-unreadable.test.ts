import { connect, defineJob } from "millrace";
import { expect, it, vi } from "vitest";
import { publishRaw, UNDISTURBED } from "../harness/bare-client.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: 120_000 });

const QUEUE = "books";

describeEachServer(
  "an unreadable job that an operator has mended",
  (server) => {
    it("is no longer dead to whoever waits for it, and can be cancelled", async () => {
      const { namespace } = await startNodeOnServer(server, {
        jobs: [defineJob({ name: "bind", queue: QUEUE }).handler(({ input }) => input)],
      });
      const millrace = await connect({ servers: server.url, namespace, env: {} });
      cleanUpLater(() => millrace.close());
      for (const id of ["bound", "cancelled"]) {
        const createdAt = Date.now() - 5_000;
        const body = { v: 1, id, name: "bind", payload: 1, createdAt, maxAttempts: 0 };
        const data = Buffer.from(JSON.stringify(body));
        await publishRaw(server, `${namespace}.jobs.${QUEUE}`, "x: y", data);
      }
      await eventually(async () => (await millrace.dead.list({ queue: QUEUE })).length === 2, {
        ...{ withinMs: 30_000, describe: "both are dead letters" },
      });
      await millrace.queues.pause(QUEUE);
      for (const id of ["bound", "cancelled"]) await millrace.dead.edit(id, 2, { queue: QUEUE });
      await expect(millrace.handle("bound", QUEUE).result({ timeout: "1s" })).rejects.toMatchObject(
        { code: "result-timeout" },
      );
      await millrace.handle("cancelled", QUEUE).cancel("not any more");
      await millrace.queues.resume(QUEUE);
      expect(await millrace.handle("bound", QUEUE).result({ timeout: "60s" })).toBe(2);
      await expect(
        millrace.handle("cancelled", QUEUE).result({ timeout: "60s" }),
      ).rejects.toMatchObject({ code: "cancelled" });
    });
  },
  { undisturbed: UNDISTURBED },
);
