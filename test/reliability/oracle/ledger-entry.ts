/** The handling of one delivery, as the handler itself sees it. */
export interface Run {
  readonly id: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** The fencing token of this run. */
  readonly token: number;
}

/** How a handler ended, in its own words. What the runtime made of it stands in the history. */
export type Ending = "succeeded" | "failed" | "aborted";

/** What a process saw happen, written down outside of NATS. */
export type LedgerEvent =
  /** A producer is about to publish. */
  | { readonly event: "attempted"; readonly id: string }
  /** The producer's publish was confirmed. */
  | { readonly event: "confirmed"; readonly id: string; readonly duplicate: boolean }
  /** A handler was called. */
  | ({ readonly event: "started" } & Run)
  /** A handler did what it is there for, with its token as a fence. */
  | ({ readonly event: "effect" } & Run)
  /** A handler's signal was aborted. */
  | ({ readonly event: "aborted"; readonly cause: string } & Run)
  /** A handler is about to return or throw. */
  | ({ readonly event: "ended"; readonly ending: Ending } & Run);

/** `process` and `atMs` are the writer's, never the caller's. */
export type LedgerEntry = LedgerEvent & {
  readonly process: string;
  /** Milliseconds of the machine's monotonic clock, which all its processes share. */
  readonly atMs: number;
};

/** Now, on the clock of `LedgerEntry.atMs`. */
export function ledgerNowMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
