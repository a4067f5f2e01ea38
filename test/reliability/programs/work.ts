import type { VitalSigns } from "./vital-signs.ts";

/**
 * What a job's payload tells its handler to do. `deliveries`: only while the message was delivered
 * at most so often; afterwards it just works.
 */
export type Work =
  /**
   * Works for `ms` (`laterMs` once it was published or delivered again), makes its effect, returns.
   * With `heed` it throws when its signal is aborted.
   */
  | {
      readonly do: "work";
      readonly ms?: number;
      readonly laterMs?: number;
      readonly heed?: boolean;
    }
  /** Throws on the first `times` attempts. */
  | { readonly do: "fail"; readonly times: number }
  /**
   * Waits until the test sends `{ release: id }`, whatever its signal says; with `heed` it throws
   * when that is aborted.
   */
  | { readonly do: "hold"; readonly deliveries: number; readonly heed?: boolean }
  /** Keeps the event loop from turning; with `released`, once the test sends `{ release: id }`. */
  | {
      readonly do: "stall";
      readonly ms: number;
      readonly deliveries: number;
      readonly released?: boolean;
    }
  | { readonly do: "exit"; readonly deliveries: number }
  | { readonly do: "out-of-memory"; readonly deliveries: number }
  | { readonly do: "uncaught"; readonly deliveries: number };

/** The key of caps: jobs of no tenant have one together. */
export function tenantOf(work: unknown): string {
  return (work as { readonly tenant?: string } | null)?.tenant ?? "nobody's";
}

/** Where a node kills itself with SIGKILL, at the first job that gets there. */
export type DiePoint =
  | "before-run"
  | "mid-run"
  | "after-effect"
  | "after-requeue"
  | "after-bury"
  | "after-block"
  | "before-ack";

export interface ConnectConfig {
  /** Several with commas between them. */
  readonly servers: string;
  readonly namespace: string;
  readonly replicas?: number;
}

/** The one argument of the node program, as JSON. */
export interface NodeConfig extends ConnectConfig {
  readonly name: string;
  readonly ledger: string;
  readonly leaseMs: number;
  readonly graceMs: number;
  readonly slots: number;
  readonly maxAttempts: number;
  /** Between two attempts. */
  readonly backoffMs: number;
  /** Only jobs whose ids begin so are told of over IPC: a million would be too many. */
  readonly tells?: string;
  /** At most one job runs in the fleet. */
  readonly singleton?: boolean;
  /** It also runs jobs of which one may run at a time. */
  readonly alone?: boolean;
  /** At most so many jobs of a tenant (the payload's) run in the fleet. */
  readonly cap?: number;
  readonly dieAt?: DiePoint;
  /**
   * Settles wrongly on purpose, to prove that the oracle sees it: acks, then kills itself, and so
   * never publishes.
   */
  readonly sabotage?: "ack-before-publish";
  /** Leaks with every job, to prove that the soak sees it. */
  readonly leaks?: boolean;
}

/** The one argument of the producer program, as JSON. */
export interface ProducerConfig extends ConnectConfig {
  readonly name: string;
  readonly ledger: string;
  readonly jobs: number;
  /** Jobs given to the broker at once. */
  readonly batch: number;
  /** Every n-th job fails once. 0: none. */
  readonly failEvery: number;
  readonly workMs: number;
  /** Pause between two batches, so that the load lasts. */
  readonly pauseMs: number;
}

/** The one argument of the foreign producer, as JSON. */
export interface ForeignProducerConfig extends ConnectConfig {
  readonly name: string;
  readonly ledger: string;
  readonly jobs: number;
  readonly workMs: number;
  readonly everyMs: number;
}

/** The one argument of the arrivals program, as JSON. */
export interface ArrivalsConfig extends ConnectConfig {
  readonly name: string;
  readonly ledger: string;
  readonly perSecond: number;
  /** How long the jobs work, one after the other. */
  readonly workMs: readonly number[];
  /** Every n-th job fails once. */
  readonly failEvery: number;
  /** Every n-th job fails for good. */
  readonly deadEvery: number;
}

/**
 * Which delivery of its message a run is, from its fencing token. 0 where the token is a lock's: it
 * counts from the microseconds since 1970, and no job here is published so often.
 */
export function deliveryOf(token: number): number {
  if (token > 2 ** 50) return 0;
  return Math.floor(token / 2 ** 24) % 2 ** 6;
}

export const QUEUE = "work";
export const JOB = "reliability.work";
/** Of these one runs at a time in the fleet. */
export const ALONE = "reliability.alone";

/** What a node program says over IPC, for tests that wait for it. */
export type Said =
  | { readonly say: "ready" }
  /** The answer to `{ measure: true }`. */
  | { readonly say: "measured"; readonly signs: VitalSigns }
  | {
      readonly say: "started";
      readonly id: string;
      readonly attempt: number;
      readonly token: number;
    }
  /** From now on its event loop doesn't turn. */
  | { readonly say: "stalls"; readonly id: string }
  | { readonly say: "aborted"; readonly id: string; readonly token: number; readonly cause: string }
  | { readonly say: "ended"; readonly id: string; readonly token: number }
  | { readonly say: "redelivered"; readonly id: string }
  | { readonly say: "settled"; readonly id: string; readonly state: string };
