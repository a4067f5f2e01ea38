import type { Delivery, Outcome } from "@millrace/core";

/** How a job is settled for whose later start its queue has no room. */
export function parkedFull(queue: string, most: number): Outcome {
  return {
    kind: "rejected",
    reason: "parked-full",
    error: {
      type: "parked-full",
      message: `The queue ${queue} may have ${most} delayed jobs of its producers, and has them, so this one was not delayed. Raise it: millrace queues set ${queue} --max-parked <n>; or wait until some have started. Then retry the dead letter.`,
    },
  };
}

/**
 * Whether a job that a limit refuses may wait there only if there is room for one more. That is
 * asked of a producer's new job alone: what has run is not to be kept from its retry, and what
 * comes again may be blocked already.
 */
export function needsRoom(refusal: Outcome, { message, deliveryCount }: Delivery): boolean {
  return refusal.kind === "blocked" && message.origin !== "runtime" && deliveryCount <= 1;
}
