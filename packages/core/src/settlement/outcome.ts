import type { DeadReason } from "./dead-reason.ts";
import type { DeadLetter } from "./dead-letter.ts";
import type { OutcomeTarget } from "../job/outcome-jobs.ts";
import type { RecordedError } from "../errors/recorded-error.ts";

/**
 * Whether a failed attempt may be followed by another: as the policy says, never, or after a delay
 * the handler chose.
 */
export type RetryWish = "policy" | "never" | { readonly afterMs: number };

/** How one delivery of a job ended. Values, never exceptions. */
export type Outcome =
  | { readonly kind: "succeeded"; readonly output?: unknown }
  | { readonly kind: "failed"; readonly error: RecordedError; readonly retry: RetryWish }
  | { readonly kind: "timed-out"; readonly error: RecordedError }
  | { readonly kind: "snoozed"; readonly delayMs: number }
  | { readonly kind: "interrupted" }
  | { readonly kind: "cancelled"; readonly reason: string }
  | { readonly kind: "lease-lost" }
  /**
   * Until its own start time, or until the time that a rate limit keeps for it (`reservedAt`, the
   * broker's clock). `elsewhere`: another message of it may be run, or have ended it, so that it is
   * asked about when it comes again.
   */
  | {
      readonly kind: "deferred";
      readonly untilMs: number;
      readonly reservedAt?: number;
      readonly elsewhere?: true;
    }
  /** Kept at a gate, by its name, until somebody lets it in. */
  | { readonly kind: "blocked"; readonly gate: string }
  | { readonly kind: "expired" }
  | {
      readonly kind: "rejected";
      readonly reason: Exclude<DeadReason, "attempts-exhausted" | "fatal" | "crashed" | "expired">;
      readonly error: RecordedError;
    }
  | { readonly kind: "crashed" }
  /** An earlier holder has put its letter among the dead ones, and could not say so any more. */
  | { readonly kind: "buried"; readonly letter: DeadLetter; readonly error: RecordedError }
  /**
   * `after`: the end behind which its holder may have left something undone, between the record and
   * the ack. `followed`: what is there all the same.
   */
  | {
      readonly kind: "recalled";
      readonly after?: RecordedEnd;
      readonly followed?: readonly Follower[];
    };

/** What follows an end: the next job of a chain, and the job that tells of the outcome. */
export type Follower = "next" | "outcome";

/** An end as the history has it. */
export interface RecordedEnd {
  readonly state: "succeeded" | "dead" | "expired" | "cancelled";
  /** Epoch milliseconds. */
  readonly at: number;
  /** Of the message that ended, in its queue. */
  readonly sequence?: number;
  readonly attempts: number;
  readonly life?: number;
  readonly output?: unknown;
  /** The record has no output because it could not be kept. */
  readonly outputDropped?: "too-large" | "unserializable";
  /**
   * Of a dead job or a cancelled one; of a success, why its output could not be kept, where that is
   * known.
   */
  readonly reason?: string;
  readonly error?: RecordedError;
  /** The job that is told of it. */
  readonly tells?: OutcomeTarget;
}
