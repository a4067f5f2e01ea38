import type { KeyLimits } from "../../control/queue-controls.ts";

/**
 * What operators set for each key of a queue, before what a definition says. Asked for every job,
 * so it must be cheap.
 */
export type LimitsOf = (queue: string) => KeyLimits;
