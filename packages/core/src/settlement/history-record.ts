import type { JobRef } from "../envelope/envelope.ts";
import type { FlowPlace } from "../envelope/flow-place.ts";
import type { RecordedError } from "../errors/recorded-error.ts";
import type { OutcomeTarget } from "../job/outcome-jobs.ts";
import type { FinalState } from "../machine/execution-machine.ts";
import type { Outcome } from "./outcome.ts";
import type { DeadReason } from "./dead-reason.ts";

/** One line of a job's history: how one delivery ended. Times are epoch milliseconds. */
export interface HistoryRecord extends FlowPlace {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly state: Exclude<FinalState, "abandoned" | "recalled">;
  /** What led to the state: a requeue may be a retry, a snooze, an interruption or a delay. */
  readonly outcome: Outcome["kind"];
  /** Attempts counted so far, this one included where it counts. */
  readonly attempts: number;
  /** Which publication of the envelope this was about. */
  readonly generation: number;
  /**
   * The settled message's place in its queue. An id may be enqueued anew once the dedupe window has
   * passed, so id and generation alone do not say which message this was about.
   */
  readonly sequence?: number;
  /**
   * Of which enqueue of the id it is: when that was, by its envelope. Absent in what older versions
   * wrote, as is `life`.
   */
  readonly createdAt?: number;
  /** When the first message of that enqueue was stored, by the broker's clock. */
  readonly firstStoredAt?: number;
  /**
   * The place of that message, where its idempotency key was not the job's id, so that no server
   * could tell another for a duplicate.
   */
  readonly unkeyed?: number;
  /** Times the job had been brought back from the dead letters; absent where never. */
  readonly life?: number;
  readonly node: string;
  readonly at: number;
  readonly startedAt?: number;
  /**
   * Of a cancelled job that was not begun this time: another node had it before and left no record,
   * so that it may have begun it.
   */
  readonly mayHaveBegun?: true;
  readonly durationMs?: number;
  /**
   * How long the attempt waited for its start, from when it could have had one. Clocks of several
   * machines are compared.
   */
  readonly waitedMs?: number;
  /** When the next attempt is due. */
  readonly notBefore?: number;
  readonly output?: unknown;
  /** Set where the handler's output was too large, or no plain data, and so was not kept. */
  readonly outputDropped?: "too-large" | "unserializable";
  readonly error?: RecordedError;
  /**
   * Of a dead letter or a cancellation; of a job that is blocked, the gate at which it waits; of a
   * success whose output was not kept, why, with the place of the value.
   */
  readonly reason?: DeadReason | string;
  /** The job in whose handler this one was enqueued. */
  readonly parent?: JobRef;
  /** What this attempt enqueued, whatever became of the attempt. */
  readonly children?: Children;
  /** How many steps this attempt asked for, of a job that is defined with them. */
  readonly stepCount?: number;
  /**
   * Set where the runtime itself enqueued the job: it followed another, or is a batch's callback.
   */
  readonly door?: "runtime";
  /** Of what followed a producer's job, on the runtime's door too: the queue of that producer. */
  readonly sentFrom?: string;
  /** Of a schedule's tick: the leadership that published it. No producer's job has one. */
  readonly leadership?: number;
  /** The trace that shows it: its attempt's, or else the one that the job's headers name. */
  readonly traceId?: string;
  /** Of an end: which job is told of it, as the definition of whoever recorded it says. */
  readonly tells?: OutcomeTarget;
}

/** Jobs that one attempt enqueued. */
export interface Children {
  readonly count: number;
  /** The first 100. */
  readonly jobs: readonly JobRef[];
}
