import type { Cancellation } from "../../control/cancellation.ts";
import type { Envelope } from "../../envelope/envelope.ts";
import type { NewestOptions } from "./delayed-store.ts";

/** A gate at which jobs of a queue wait. */
export interface BlockedGate {
  readonly queue: string;
  readonly gate: string;
  readonly count: number;
}

export interface BlockedJob {
  readonly envelope: Envelope;
  readonly gate: string;
  /** The position in the store: older is smaller. */
  readonly sequence: number;
  readonly storedAt: number;
}

export interface BlockedQuery {
  readonly queue?: string;
  readonly gate?: string;
  /** Default 100. */
  readonly limit?: number;
  /** Only jobs after this position, for paging. */
  readonly after?: number;
  /** Only jobs up to this position. What `newest` said is all there were. */
  readonly until?: number;
  /** The page ends once its jobs hold so many bytes; it has one job at least. Default: never. */
  readonly bytes?: number;
}

/**
 * What a released job brings along: its message's headers `millrace-gate` (where it waited),
 * `millrace-blocked-at` (since when, epoch milliseconds of the broker's clock) and `millrace-permit`.
 */
export interface ReleaseOptions {
  /**
   * The first for the first job that is moved, and so on: what the releaser hands over to let it
   * in.
   */
  readonly permits?: readonly string[];
}

/** Which job is let in. */
export interface MeantRelease extends Pick<Cancellation, "createdAt"> {
  /**
   * Why it is cancelled: where its queue refuses it for its size, it is let in for that alone,
   * without its payload. Default: then it stays where it is.
   */
  readonly reason?: string;
  /** Where it lies, as `list` says it. */
  readonly sequence?: number;
}

/**
 * Jobs that wait at gates, by queue and gate, outside of their queue. Settlement's step `block`
 * puts them in; they are let in oldest first. Whoever calls at the same time never gets the same
 * job.
 */
export interface BlockedStore {
  /**
   * Moves the oldest jobs to where their queue's workers take them, under their generation's
   * message id. Each is published, confirmed, and only then removed: a crash in between leaves a
   * job that the next release recognises as moved.
   *
   * @returns how many this very call moved
   * @throws MillraceError as `Broker.settle`; what was moved before stays moved
   */
  release(queue: string, gate: string, count: number, options?: ReleaseOptions): Promise<number>;
  /**
   * Moves one job, whatever waits before it. Looks through all that is blocked in the queue, unless
   * it is said where the job lies.
   *
   * @returns false where it isn't blocked, or not there
   */
  releaseJob(queue: string, id: string, meant?: MeantRelease): Promise<boolean>;
  /** Every gate at which something waits. Its work follows the number of gates, not of jobs. */
  gates(queue?: string): Promise<readonly BlockedGate[]>;
  /** Oldest first. */
  list(query?: BlockedQuery): Promise<readonly BlockedJob[]>;
  /**
   * How many wait, at whatever gate: of one queue, or of all, which is one question to the server.
   */
  count(queue?: string): Promise<number>;
  /** As `DelayedStore.newest`. */
  newest(options?: NewestOptions): Promise<number>;
  /** Removes what waits in the queue, at one gate or at all. @returns how many */
  purge(queue: string, gate?: string): Promise<number>;
}
