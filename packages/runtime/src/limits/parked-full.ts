import type { Outcome } from "@millrace/core";

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
