import type { RateRule } from "@millrace/core";

/** What operators set at run time for each key of a queue. It stands before what a definition says. */
export interface KeyLimits {
  readonly keyConcurrency?: number;
  readonly keyRate?: Pick<RateRule<unknown>, "limit" | "perMs">;
}

/** Asked for every job, so it must be cheap: the live view of the queue's controls. */
export type LimitsOf = (queue: string) => KeyLimits;

const NONE: KeyLimits = {};

export const noLimits: LimitsOf = () => NONE;
