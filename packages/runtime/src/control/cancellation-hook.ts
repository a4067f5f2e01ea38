import { type Broker, defined } from "@millrace/core";
import type { SettlementHook } from "../execution/settle/settlement-hook.ts";
import type { Cancellations } from "./cancellations.ts";

/**
 * A job that has ended needs no cancellation any more. It is removed before the ack: were the
 * process to die between the two, the job would come again and be recalled by its record. Once more
 * after the ack, for one that came in meanwhile.
 */
export function cancellationHook(broker: Broker, cancellations: Cancellations): SettlementHook {
  return {
    concerns: (envelope, { state }) =>
      state !== "abandoned" && cancellations.of(envelope) !== undefined,
    beforeAck: async ({ envelope, settlement, recorded }) => {
      if (hasEnded(settlement.state, recorded?.state)) await cancellations.close(envelope);
    },
    afterAck: async ({ envelope, settlement, recorded }) => {
      if (hasEnded(settlement.state, recorded?.state)) await cancellations.close(envelope);
      // The cancellation came in while the job was being sent away: whoever cancelled it may have
      // looked for it too early.
      else if (settlement.notBefore !== undefined)
        await broker.delayed.move(envelope.id, envelope.queue, "now", {
          createdAt: envelope.createdAt,
          cancellation: cancellations.of(envelope),
        });
      else if (settlement.steps.some((step) => step.do === "block"))
        await broker.blocked.releaseJob(envelope.queue, envelope.id, {
          createdAt: envelope.createdAt,
          ...defined({ reason: cancellations.of(envelope)?.reason }),
        });
    },
  };
}

/** A recalled job whose earlier holder handed it on lives, and is to be cancelled yet. */
function hasEnded(state: string, recorded: string | undefined): boolean {
  return (state === "recalled" ? recorded : state) !== "requeued";
}
