import {
  AckPolicy,
  DiscardPolicy,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";

/**
 * The streams as Millrace lays them out, under a namespace of this run; removes what an earlier run
 * left.
 */
export async function layOut(
  nc: NatsConnection,
  namespace: string,
): Promise<{
  readonly queue: string;
  readonly history: string;
  readonly consumer: string;
  remove(): Promise<void>;
}> {
  const jsm = await jetstreamManager(nc);
  const queue = `${namespace}-queue-bench`;
  const history = `${namespace}-history`;
  await jsm.streams.add({
    name: queue,
    subjects: [`${namespace}.jobs.bench`, `${namespace}.jobs.bench.>`],
    retention: RetentionPolicy.Workqueue,
    discard: DiscardPolicy.New,
    storage: StorageType.File,
  });
  await jsm.streams.add({
    name: history,
    subjects: [`${namespace}.history.>`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
  });
  await jsm.consumers.add(queue, {
    durable_name: "worker",
    ack_policy: AckPolicy.Explicit,
    ack_wait: 30e9,
    max_ack_pending: 5_000,
  });
  return {
    queue,
    history,
    consumer: "worker",
    async remove() {
      await jsm.streams.delete(queue);
      await jsm.streams.delete(history);
    },
  };
}
