import type { Envelope } from "../envelope/envelope.ts";
import type { QueueMessage } from "../envelope/message.ts";
import type { ExecutionState, FinalState } from "../machine/execution-machine.ts";
import type { OutcomeJobs } from "../job/outcome-jobs.ts";
import type { RetryPolicy } from "../retry/retry-policy.ts";
import type { DeadLetter } from "./dead-letter.ts";
import type { Children, HistoryRecord } from "./history-record.ts";
import type { Outcome } from "./outcome.ts";
import type { DeadReason } from "./dead-reason.ts";

/** All that settlement looks at. */
export interface SettlementInput {
  readonly envelope: Envelope;
  /** The message the envelope was read from: a dead letter keeps its bytes. */
  readonly message: QueueMessage;
  /** The server's count of deliveries of that message, 1 the first time. */
  readonly deliveryCount: number;
  readonly from: Extract<ExecutionState, "queued" | "running">;
  readonly outcome: Outcome;
  readonly policy: RetryPolicy;
  /** Epoch milliseconds. */
  readonly now: number;
  readonly startedAt?: number;
  readonly durationMs?: number;
  readonly waitedMs?: number;
  /** What the attempt enqueued. */
  readonly children?: Children;
  /** How many steps the attempt asked for; absent of a job without them. */
  readonly stepCount?: number;
  /** Whom the job's definition tells of its end; absent of most. */
  readonly outcomeJobs?: OutcomeJobs;
  /** Another node may have had the job: since when, as in the envelope. */
  readonly sharedSince?: number;
  /** A letter lies there of a run of another message: it goes when the job ends otherwise. */
  readonly isBuriedBeside?: boolean;
  /** The trace of its attempt, where that was followed. */
  readonly traceId?: string;
  /** In [0, 1), for jitter. */
  readonly random: number;
  readonly node: string;
}

/** One thing a broker does. Each is confirmed before the next begins. */
export type SettlementStep =
  | { readonly do: "requeue"; readonly envelope: Envelope }
  /** Stored where it waits until `BlockedStore.release` moves it to its queue. */
  | { readonly do: "block"; readonly envelope: Envelope; readonly gate: string }
  /**
   * A job of its own that follows from this one, published under its own id. That makes a
   * repetition harmless for as long as its queue remembers ids. What another run of the chain left
   * under the id is told from it by its time of creation. `tells`: it tells of this job's end, and
   * may tell less.
   */
  | { readonly do: "enqueue"; readonly envelope: Envelope; readonly tells?: true }
  /**
   * `once`: of another job than the one that is settled. If it is buried twice with the same words,
   * over whichever delivery, it is buried once.
   */
  | { readonly do: "bury"; readonly letter: DeadLetter; readonly once?: string }
  /**
   * An end is refused where another run has recorded one: see `Broker.settle`. `envelope`: of
   * another job than the one that is settled, which was to follow it.
   */
  | { readonly do: "record"; readonly record: HistoryRecord; readonly envelope?: Envelope }
  | { readonly do: "ack" };

export interface Settlement {
  readonly state: FinalState;
  readonly steps: readonly SettlementStep[];
  /** The job's own record, where it is settled without: what follows its end is told of it. */
  readonly unrecorded?: HistoryRecord;
  /**
   * The envelope with what settlement counted: what is republished where the state is `requeued`.
   */
  readonly envelope: Envelope;
  /** When the requeued job is due, epoch milliseconds; absent where that is at once. */
  readonly notBefore?: number;
  readonly reason?: DeadReason;
}

/**
 * Holders this job has outlived without an outcome: those an earlier envelope counted, and those
 * the server's delivery count shows.
 */
export function crashesOf(input: Pick<SettlementInput, "envelope" | "deliveryCount">): number {
  return input.envelope.crashes + Math.max(0, input.deliveryCount - 1);
}
