import type { ServerEndpoint } from "../broker/broker.ts";
import type { StepRef } from "../broker/stores/journal-store.ts";
import type { Envelope, JobRef } from "../envelope/envelope.ts";
import type { MillraceError } from "../errors/millrace-error.ts";
import type { AnyJob } from "../job/define-job.ts";
import type { MachineRef } from "../durable/machine-names.ts";
import type { Settlement, SettlementInput } from "../settlement/settlement.ts";
import type { MachineTransition } from "./machine-transition.ts";

/**
 * Follows jobs from their publish to their end: traces, or whatever else is to surround them.
 * Clients and nodes take one; without it nothing is asked and nothing is waited for.
 *
 * Nothing of it may throw on account of its own trouble: a job is never touched by being watched.
 */
export interface Instrumentation {
  /**
   * Surrounds a publish. Returns or rejects as `send` does, which it calls exactly once and may
   * hand the same envelopes with other headers.
   */
  publish<Result extends Published>(
    publication: Publication,
    send: (envelopes: readonly Envelope[]) => Promise<readonly Result[]>,
  ): Promise<readonly Result[]>;
  /**
   * A message is written to an outbox, or a job to one that can't wait; somebody else publishes it
   * later.
   *
   * @returns the headers that it is to have
   */
  created?(created: CreatedMessage): Readonly<Record<string, string>>;
  /** An attempt begins. Undefined where nobody wants to know of this one. */
  attempt(started: StartedAttempt): AttemptTrace | undefined;
  /**
   * A job has ended for good without having run: it was refused, has expired, was cancelled or
   * has taken its nodes down. The settlement is confirmed.
   */
  ended(input: SettlementInput, settlement: Settlement): void;
  /**
   * A durable machine is sent an event.
   *
   * @returns the headers that it is to have: of them `traceparent`, `tracestate` and `baggage` are
   *   sent
   */
  sending?(to: MachineRef): Readonly<Record<string, string>>;
  /**
   * Surrounds what follows from a machine's transition. Returns or rejects as `effects` does, which
   * it calls exactly once.
   */
  transition?<Result>(
    transition: MachineTransition,
    effects: () => Promise<Result>,
  ): Promise<Result>;
  /**
   * `millrace.lock` has waited for a lock, in whatever is under way here: a request, an attempt.
   */
  lockWaited?(wait: LockWait): void;
  /**
   * Hands on what is still held. Called once, when a node has stopped working; it is not waited for
   * beyond the node's grace.
   */
  shutdown(): Promise<void>;
  /**
   * The URL of a module that exports a `ThreadTracing` as `threadTracing`, for the threads that
   * handlers run in.
   */
  readonly threadModule?: string;
}

/** What waits in an outbox for whoever publishes it. */
export interface CreatedMessage {
  /** The job's queue; the message's subject. */
  readonly destination: string;
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined where it is a message for others. */
  readonly job: Envelope | undefined;
}

/** Jobs that are handed to the broker together. */
export interface Publication {
  /** A replay gives jobs that were dead a new life. */
  readonly kind: "enqueue" | "replay";
  readonly envelopes: readonly Envelope[];
  /** The name of the node or the client that publishes; undefined where nobody gave it one. */
  readonly client?: string;
  /** Asked for only where it is wanted. Undefined where the broker is no server. */
  readonly endpoint: () => ServerEndpoint | undefined;
}

/** How long a lock was waited for, and what came of it. */
export interface LockWait {
  readonly name: string;
  readonly waitedMs: number;
  /** Its fencing token; undefined where another still held it when the time was over. */
  readonly token: number | undefined;
}

/** What became of one of them. */
export type Published =
  { readonly ok: true } | { readonly ok: false; readonly error: MillraceError };

export interface StartedAttempt {
  readonly envelope: Envelope;
  readonly job: AnyJob;
  readonly node: string;
  readonly maxAttempts: number;
  /** From when the job could have started to when it did, milliseconds. */
  readonly waitedMs: number;
  /**
   * How much of that it stood at this node's limits (locks, caps, rates), milliseconds; absent
   * where it had none to pass.
   */
  readonly limitedMs?: number;
  /** The fencing token of a singleton's lock. */
  readonly singletonToken?: number;
  readonly endpoint: () => ServerEndpoint | undefined;
}

/**
 * One attempt under watch: `run` any number of times, then exactly one of `settled` and
 * `abandoned`.
 */
export interface AttemptTrace {
  /** 32 hexadecimal digits; for logs and records. */
  readonly traceId: string | undefined;
  /** Calls a function so that what it begins belongs to this attempt. */
  run<Result>(call: () => Result): Result;
  /**
   * Surrounds a `step.run` that is run, from its function's start to its record. Rejects as `work`
   * does, which it calls exactly once: with a `StepError` where the step failed. Not called for a
   * step that is on record.
   */
  step?<Result>(step: StepRef, work: () => Promise<Result>): Promise<Result>;
  /** A wait has ended in this attempt; it may have begun in an earlier one. */
  waited?(wait: EndedWait): void;
  /** Something happened on the way, such as `settlement.failed`. */
  event(name: string, attributes?: Readonly<Record<string, string | number | boolean>>): void;
  /** Headers by which work elsewhere, in a thread, goes on in this attempt's name. */
  headers(): Readonly<Record<string, string>>;
  /**
   * Decided and not carried out yet: may give what is going to be published other headers. Called
   * again where another settlement takes its place.
   */
  settling(input: SettlementInput, settlement: Settlement): Settlement;
  /** Carried out and confirmed. */
  settled(input: SettlementInput, settlement: Settlement): void;
  /** The delivery was abandoned without a settlement. */
  abandoned(): void;
}

/** A `step.waitFor` or a `step.call` that has ended. Times are epoch milliseconds. */
export interface EndedWait extends StepRef {
  readonly kind: "wait" | "call";
  readonly outcome: "signalled" | "called" | "timed-out";
  readonly startedAt: number;
  readonly endedAt: number;
  /** The job that was called. */
  readonly child?: JobRef;
}

/** The far side of an attempt's trace, in the thread that its handler runs in. */
export interface ThreadTracing {
  /** Calls a function in the name of the attempt that the headers are of. */
  run<Result>(headers: Readonly<Record<string, string>>, call: () => Result): Result;
  /**
   * Headers by which the node goes on from where the thread is now; none where the thread knows of
   * no trace.
   */
  headers(): Readonly<Record<string, string>>;
}
