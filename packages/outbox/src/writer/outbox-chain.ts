import {
  type ChainPlan,
  type JobRef,
  type LinkOptions,
  type NextJob,
  withLink,
} from "@millrace/core";

/** Jobs that run one after the other, each with the result of the one before it as its input. */
export interface OutboxChain<Output, Enqueued = Promise<readonly JobRef[]>> {
  /** The next job: what the one before gives must be what it takes. */
  next<Input, Parsed, Next>(
    job: NextJob<Output, Input, Parsed, Next>,
    options?: LinkOptions,
  ): OutboxChain<Next, Enqueued>;
  /**
   * Writes the first job, which carries the others along.
   *
   * @returns every job, in their order
   */
  enqueue(): Enqueued;
}

/** @param enqueue writes the chain's first job */
export function outboxChain<Output, Enqueued>(
  plan: ChainPlan,
  enqueue: (plan: ChainPlan) => Enqueued,
): OutboxChain<Output, Enqueued> {
  return {
    next: (job, options = {}) => outboxChain(withLink(plan, job, options), enqueue),
    enqueue: () => enqueue(plan),
  };
}
