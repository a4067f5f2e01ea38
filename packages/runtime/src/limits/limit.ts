import type { AnyJob, Envelope, Outcome, QueueMessage, Settlement } from "@millrace/core";

/** A job at a limit. */
export interface Entrant {
  readonly envelope: Envelope;
  readonly job: AnyJob;
  readonly message: QueueMessage;
  /** The server's count of deliveries of that message, 1 the first time. */
  readonly deliveryCount: number;
}

/**
 * Something that a job has to pass before it runs, such as a cap over all nodes. Limits are passed
 * one after another, in the order of the node's list, and left in the opposite order when the job
 * has been settled.
 */
export interface Limit {
  /** Whether the job has to pass here. Asked for every job, so it must be cheap. */
  concerns(envelope: Envelope, job: AnyJob): boolean;
  /** Rejecting is trouble, not an answer: the limit is asked again while the lease is held. */
  enter(entrant: Entrant): Promise<Entry>;
}

/**
 * `entered`: the job may run as far as this limit is concerned. It has this to give back, or
 * undefined. `refusal`: how it is settled instead, `deferred` or `cancelled` for instance;
 * `afterwards` is called once that is confirmed.
 */
export type Entry =
  | { readonly entered: EnteredLimit | undefined }
  | { readonly refusal: Outcome; readonly afterwards?: () => Promise<void> };

/** It may run, and has nothing to give back. */
export const PASSED: Entry = { entered: undefined };

/** What a job that entered a limit has to give back. */
export interface EnteredLimit {
  /** A fencing token that the handler is given instead of the job's own. */
  readonly token?: number;
  /** The gate at which others are blocked because of it, for whoever asks what they wait for. */
  readonly gate?: string;
  /**
   * Called once, when it is no longer good: the handler is told to stop, and the job is
   * handed back unspent.
   */
  readonly onLost?: (listener: () => void) => void;
  /**
   * Called once. Rejecting is logged and nothing more: what must not be lost in a crash has to mend
   * itself.
   *
   * @param settlement how the job was settled; undefined where it was abandoned or not settled here
   */
  readonly leave: (settlement: Settlement | undefined) => Promise<void>;
}

const NO_LIMITS: readonly Limit[] = [];

/** Those that a job has to pass, in their order. Most jobs pass none, and cost no array. */
export function limitsOn(
  limits: readonly Limit[],
  envelope: Envelope,
  job: AnyJob,
): readonly Limit[] {
  let found: Limit[] | undefined;
  for (const limit of limits) if (limit.concerns(envelope, job)) (found ??= []).push(limit);
  return found ?? NO_LIMITS;
}

/**
 * Whether an earlier holder may have blocked the job and died before that was on record. Such a job
 * is blocked again, free limit or not: its message id is the blocked one's, so the two are one, and
 * it runs once. If it went through the limit, the blocked one would run after it.
 */
export function mayBeBlockedAlready({ deliveryCount }: Entrant): boolean {
  return deliveryCount > 1;
}
