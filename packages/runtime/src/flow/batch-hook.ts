import { batchEnd, type Broker, callBack, type Envelope } from "@millrace/core";
import type { SettlementHook } from "../execution/settlement-hook.ts";

/**
 * Takes a job that has ended out of its batch, and enqueues the batch's callback where it was the last. Before the ack: a crash in between
 * brings the job back, it is recalled, and comes by here again.
 */
export function batchHook(broker: Broker): SettlementHook {
  return {
    concerns: ({ batch }, { state }) =>
      batch !== undefined && (state === "recalled" || batchEnd(state) !== undefined),
    beforeAck: async ({ envelope: { batch, id, queue }, settlement, recorded, lease }) => {
      const end = batchEnd(recorded?.state ?? settlement.state);
      if (batch === undefined || end === undefined) return;
      const publish = (callback: Envelope): Promise<void> => broker.requeue(callback, { lease });
      const othersLeft = await broker.batches.leave(batch, { id, queue }, end, { lease });
      if (!othersLeft) await callBack(broker, batch, publish, recorded !== undefined);
    },
  };
}
