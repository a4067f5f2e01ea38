import { connectBroker } from "@millrace/broker-nats";
import type { QueueSnapshot } from "@millrace/core";
import { QUEUE } from "./no-op-job.ts";

/** The queue of one contender: made as a node makes it, gone when disposed of. */
export interface BenchQueue extends AsyncDisposable {
  readonly stream: string;
  readonly consumer: string;
  snapshot(): Promise<QueueSnapshot>;
  /** Counted by the server. @throws where so many jobs do not wait */
  requireHolds(jobs: number): Promise<void>;
}

export async function createBenchQueue(url: string, namespace: string): Promise<BenchQueue> {
  const broker = await connectBroker({ servers: [url], namespace });
  await broker.queues.ensure(QUEUE);
  // Binding once creates the consumer and the history, which the bare loops use too.
  const bound = await broker.work(QUEUE, {
    freeSlots: () => 0,
    onDelivery: () => {},
    leaseMs: 30_000,
  });
  await bound.stop();
  return {
    stream: `${namespace}-queue-${QUEUE}`,
    consumer: "workers",
    snapshot: () => broker.queues.snapshot(QUEUE),
    requireHolds: async (jobs) => {
      const { queued } = await broker.queues.snapshot(QUEUE);
      if (queued !== jobs) throw new Error(`the queue holds ${queued} jobs, not ${jobs}`);
    },
    [Symbol.asyncDispose]: async () => {
      await broker.queues.remove(QUEUE);
      await broker.close();
    },
  };
}
