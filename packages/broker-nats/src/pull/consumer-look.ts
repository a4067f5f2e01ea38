import { pullProblem } from "./pull-problem.ts";
import type { PullSubscriptionOptions } from "./pull-subscription-options.ts";

/**
 * The look for a consumer that nobody answers for: it may be gone, or between two leaders. It waits
 * longer for a leader than the consumer is without one, so only what needs a new consumer should
 * wait for it.
 */
export class ConsumerLook {
  readonly #options: PullSubscriptionOptions;
  #underWay: Promise<void> | undefined;

  constructor(options: PullSubscriptionOptions) {
    this.#options = options;
  }

  /** Never rejects. Callers that ask at the same time share a look. */
  begin(): Promise<void> {
    this.#underWay ??= this.#run().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #run(): Promise<void> {
    const options = this.#options;
    try {
      await options.onConsumerMissing?.();
    } catch (cause) {
      const what = "is gone and could not be created again.";
      options.onProblem?.(pullProblem(options, "consumer-not-found", what, cause));
    }
  }
}
