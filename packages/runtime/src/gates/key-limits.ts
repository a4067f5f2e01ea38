import type { RateRule } from "@millrace/core";
import type { QueueControlsView } from "../control/queue-controls.ts";

/** What operators set at run time for each key of a queue. It stands before what a definition says. */
export interface KeyLimits {
  readonly keyConcurrency?: number;
  readonly keyRate?: Pick<RateRule<unknown>, "limit" | "perMs">;
}

/** Asked for every job, so it must be cheap: the live view of the queue's controls. */
export type LimitsOf = (queue: string) => KeyLimits;

const NONE: KeyLimits = {};

/** From the controls as they are at the moment of each question. */
export function keyLimitsFrom(controls: QueueControlsView): LimitsOf {
  return (queue) => {
    const { perKey } = controls.of(queue);
    if (perKey === undefined) return NONE;
    const { concurrency, rate } = perKey;
    return {
      ...(concurrency === undefined ? {} : { keyConcurrency: concurrency }),
      ...(rate === undefined ? {} : { keyRate: rate }),
    };
  };
}
