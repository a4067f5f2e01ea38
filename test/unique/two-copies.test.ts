import { connect, createNode } from "millrace";
import { expect, it } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { indexJob, QUEUE } from "./index-job.ts";

const WITHIN_MS = 30_000;

describeEachServer(
  "a job that was handed back, and whose message came to a node again",
  (server) => {
    it.each([1, 2])("does not run twice at once, with %i nodes", async (nodes) => {
      const options = { servers: server.url, namespace: server.namespace(), env: {} };
      const client = await connect(options);
      cleanUpLater(() => client.close());
      const { broker, queues } = client;
      await queues.ensure(QUEUE);
      const job = indexJob();
      const ran: number[] = [];
      const started = Promise.withResolvers<void>();
      const hang = Promise.withResolvers<void>();
      cleanUpLater(() => hang.resolve());
      const handled = job.handler(async ({ input }) => {
        ran.push(input.version);
        started.resolve();
        await hang.promise;
      });
      for (let n = 0; n < nodes; n += 1) {
        const node = await createNode({ ...options, jobs: [handled] });
        cleanUpLater(() => node.stop());
        await node.start();
      }
      await client.enqueue(job, { doc: "a", version: 1 }, { id: "v1" });
      await within(started.promise, WITHIN_MS, "the job to start");
      const found = await broker.findWaiting("v1", { queue: QUEUE });
      if (found === undefined) throw new Error("a job that runs lies in its queue");
      const { envelope, storedAt } = found;
      await broker.requeue({ ...envelope, generation: 1, firstStoredAt: Math.floor(storedAt) });
      const records = () => broker.history.read({ id: "v1", queue: QUEUE });
      await eventually(async () => (await records()).some(({ state }) => state === "requeued"), {
        withinMs: WITHIN_MS,
        describe: "the copy was met",
      });
      hang.resolve();
      await eventually(
        async () => {
          const { queued, running, delayed } = await queues.snapshot(QUEUE);
          return queued + running + delayed === 0;
        },
        { withinMs: WITHIN_MS, describe: "nothing is left of it" },
      );
      expect(ran).toEqual([1]);
      const ends = (await records()).filter(({ state }) => state !== "requeued");
      expect(ends).toMatchObject([{ state: "succeeded" }]);
    });
  },
);
