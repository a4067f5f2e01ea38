import type { Broker, Clock, HistoryRecord } from "@millrace/core";

/**
 * Runs the first job of a queue as a node does: it succeeds, and that is on record.
 *
 * @param more of its record
 */
export async function succeedFirst(
  { broker, clock }: { readonly broker: Broker; readonly clock: Clock },
  queue: string,
  more: Pick<HistoryRecord, "id" | "name"> & Partial<HistoryRecord>,
): Promise<void> {
  const settled = Promise.withResolvers<void>();
  const work = await broker.work(queue, {
    freeSlots: () => 1,
    leaseMs: 30_000,
    onDelivery: (delivery) => {
      const { sequence, storedAt } = delivery.message;
      const record: HistoryRecord = {
        ...{ queue, state: "succeeded", outcome: "succeeded", attempts: 1, generation: 0 },
        ...{ node: "n", at: clock.now(), sequence, firstStoredAt: storedAt },
        ...more,
      };
      void broker
        .settle(delivery, [{ do: "record", record }, { do: "ack" }])
        .then(settled.resolve, settled.reject);
    },
  });
  await settled.promise;
  await work.stop();
}
