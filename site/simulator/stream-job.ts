export const CUSTOMERS = ["Ada", "Bo", "Cy"] as const;
export type Customer = (typeof CUSTOMERS)[number];

/** What a job does, from one time to another. */
export interface Span {
  /**
   * `queued`: it waits for a slot. `limited`: for its cap or its rate. `backoff`: for its next
   * attempt. `running`: an attempt that succeeds. `failed`: one that fails.
   */
  readonly what: "queued" | "limited" | "backoff" | "running" | "failed";
  /** Simulated milliseconds since the first job was enqueued. */
  readonly fromMs: number;
  readonly toMs: number;
}

export interface StreamJob {
  readonly number: number;
  readonly customer: Customer;
  readonly lane: "high" | "normal";
  readonly createdMs: number;
  readonly spans: readonly Span[];
  readonly end: "succeeded" | "dead" | "unfinished";
}
