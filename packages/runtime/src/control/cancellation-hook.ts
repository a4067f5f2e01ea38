import type { SettlementHook } from "../execution/settlement-hook.ts";
import type { Cancellations } from "./cancellations.ts";

/**
 * A job that has ended needs no cancellation any more. It is removed before the ack: were the process to die between the two, the job
 * would come again and be recalled by its record. Once more after the ack, for one that came in meanwhile.
 */
export function cancellationHook(cancellations: Cancellations): SettlementHook {
  return {
    concerns: (envelope, { state }) =>
      state !== "requeued" && state !== "abandoned" && cancellations.of(envelope) !== undefined,
    beforeAck: async ({ envelope, recorded }) => {
      // An earlier holder had handed the job on: it lives, and is to be cancelled yet.
      if (recorded?.state !== "requeued") await cancellations.close(envelope);
    },
    afterAck: async ({ envelope, recorded }) => {
      if (recorded?.state !== "requeued") await cancellations.close(envelope);
    },
  };
}
