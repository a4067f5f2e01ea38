import { connectBroker } from "@millrace/broker-nats";
import { createNode } from "@millrace/runtime";
import { connect, type EnqueueItem } from "millrace";
import { noOp, QUEUE } from "../scenarios/no-op-job.ts";
import type { JobQueue, JobSystem, Payload } from "./job-system.ts";

const SLOTS = 256;

/**
 * Millrace behind the same words as its peers, for the scenarios that measure every system alike.
 */
export const millrace: JobSystem = { name: "Millrace", server: "nats", open };

async function open(url: string, namespace: string): Promise<JobQueue> {
  const broker = await connectBroker({ servers: [url], namespace });
  await broker.queues.ensure(QUEUE);
  const client = await connect({ servers: url, namespace });
  return {
    add: async (input) => void (await client.enqueue(noOp, input)),
    addMany: (inputs) => enqueueAll(inputs.map((input) => ({ input }))),
    addLater: (inputs, dueAt) =>
      enqueueAll(inputs.map((input) => ({ input, at: new Date(dueAt(input.n)) }))),
    async work(onStart) {
      const node = createNode({
        broker,
        jobs: [noOp.handler(async ({ input }) => onStart(input.n))],
        slots: SLOTS,
      });
      await node.start();
      return { stop: () => node.stop() };
    },
    async unfinished() {
      const { queued, running, delayed } = await broker.queues.snapshot(QUEUE);
      return queued + running + delayed;
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await broker.queues.remove(QUEUE);
      await broker.close();
    },
  };

  async function enqueueAll(items: readonly EnqueueItem<Payload>[]): Promise<void> {
    const results = await client.enqueueMany(noOp, items);
    const failed = results.find((result) => !result.ok);
    if (failed !== undefined) throw new Error(`not stored: ${JSON.stringify(failed)}`);
  }
}
