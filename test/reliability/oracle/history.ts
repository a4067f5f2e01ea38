import type { HistoryRecord } from "@millrace/core";
import type { LedgerEntry } from "./ledger-entry.ts";

/** What a fault can be blamed for. */
export type Consequence =
  /** An attempt is run again, because its outcome was not confirmed. */
  | "repeated-attempt"
  /** The job is in the queue more than once: each copy runs. */
  | "copied-job"
  /** A run goes on although another has begun, and finds its effect refused. */
  | "stale-effect";

/**
 * A fault that was really injected, on the ledger's clock. Faults last until their effects can be
 * over, leases included.
 */
export interface Fault {
  readonly what: string;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly explains: readonly Consequence[];
}

/** A job among the dead letters. */
export interface DeadJob {
  readonly id: string;
  readonly reason: string;
  readonly attempts: number;
}

/** All that is known after the faults have healed and the queues have drained. */
export interface History {
  /** In the order of time. */
  readonly entries: readonly LedgerEntry[];
  readonly dead: readonly DeadJob[];
  /** What the product itself says happened. */
  readonly records: readonly HistoryRecord[];
  readonly faults: readonly Fault[];
}
