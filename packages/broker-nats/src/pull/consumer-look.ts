import { pullProblem } from "./pull-problem.ts";
import type { PullSubscriptionOptions } from "./pull-subscription-options.ts";

interface Look {
  readonly ended: Promise<void>;
  readonly isCertain: boolean;
}

/**
 * The look for a consumer that nobody answers for: it may be gone, or between two leaders. It waits
 * longer for a leader than the consumer is without one, so only what needs a new consumer should
 * wait for it.
 */
export class ConsumerLook {
  readonly #options: PullSubscriptionOptions;
  #underWay: Look | undefined;

  constructor(options: PullSubscriptionOptions) {
    this.#options = options;
  }

  get isUnderWay(): boolean {
    return this.#underWay !== undefined;
  }

  /**
   * Never rejects. Callers that ask at the same time share a look.
   *
   * @param isCertain a leader has said that the consumer is gone: a look that was begun before that
   *   may wait for a leader, and is not waited for
   */
  begin(isCertain: boolean): Promise<void> {
    const other = this.#underWay;
    if (other !== undefined && (other.isCertain || !isCertain)) return other.ended;
    const look: Look = {
      isCertain,
      ended: this.#run(isCertain).finally(() => {
        if (this.#underWay === look) this.#underWay = undefined;
      }),
    };
    this.#underWay = look;
    return look.ended;
  }

  async #run(isCertain: boolean): Promise<void> {
    const options = this.#options;
    try {
      await options.onConsumerMissing?.();
    } catch (cause) {
      const what = isCertain
        ? "is gone and could not be created again."
        : "has no leader that answers, and could not be looked at.";
      options.onProblem?.(pullProblem(options, "consumer-not-found", what, cause));
    }
  }
}
