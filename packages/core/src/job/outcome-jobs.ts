import { requireJobName, requireQueueName } from "../ids/names.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import type { RecordedError } from "../errors/recorded-error.ts";
import type { DeadReason } from "../settlement/dead-reason.ts";
import type { Coordination } from "./coordination.ts";

/** A job that has ended, as the job of its outcome is told of it: that one's input. */
export interface EndedJob<Input = unknown> {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  /** As it was enqueued. Absent where `payloadDropped` says why. */
  readonly payload?: Input;
  /**
   * Why the payload is absent. `too-large`: it does not fit beside the rest. `invalid`: the job's
   * schema refused it. `unreadable`: the message could not be read so far. The dead letter has it.
   */
  readonly payloadDropped?: "too-large" | "invalid" | "unreadable";
  /** Attempts made. */
  readonly attempts: number;
  /** Times it had been brought back from the dead letters; absent where never. */
  readonly life?: number;
  /** When the end was recorded, epoch milliseconds. */
  readonly endedAt: number;
}

/** What an `onSucceeded` job is told. */
export interface SucceededJob<Input = unknown, Result = unknown> extends EndedJob<Input> {
  readonly end: "succeeded";
  /** What the handler returned. Absent where it returned nothing, or `resultDropped` says why. */
  readonly result?: Result;
  /** Why the result is absent: it does not fit into a message, or is no plain data. */
  readonly resultDropped?: "too-large" | "unserializable";
}

/** What an `onDead` job is told. */
export interface DeadJob<Input = unknown> extends EndedJob<Input> {
  /** `expired`: it did not start in time. It is among the dead letters like the others. */
  readonly end: "dead" | "expired";
  readonly reason: DeadReason;
  readonly error: RecordedError;
}

/** What an `onCancelled` job is told. */
export interface CancelledJob<Input = unknown> extends EndedJob<Input> {
  readonly end: "cancelled";
  /** As whoever cancelled it said. */
  readonly reason: string;
}

/**
 * A job that takes what it is told. The part of a definition that only takes the input. So a job
 * that needs less than it is told fits too.
 */
export type OutcomeJob<Told> = {
  readonly name: string;
  readonly queue: string;
} & Coordination<Told>;

/** What a definition doesn't say may be whatever the other job takes. */
type Stated<Value> = unknown extends Value ? never : Value;

/** Jobs that are enqueued when a job has ended. */
export interface OutcomeOptions<Input, Output> {
  /**
   * Enqueued when a job has succeeded: once, by the settlement, so that no crash loses it. Its
   * input is a `SucceededJob`.
   */
  readonly onSucceeded?: OutcomeJob<SucceededJob<Stated<Input>, Stated<Output>>>;
  /**
   * Enqueued when a job has become a dead letter, whatever the reason. Its input is a `DeadJob`.
   *
   * @example
   * const alert = defineJob<DeadJob<Order>>({ name: "orders.alert" });
   * const charge = defineJob<Order>({ name: "orders.charge", onDead: alert });
   */
  readonly onDead?: OutcomeJob<DeadJob<Stated<Input>>>;
  /**
   * Enqueued when a job was cancelled, whoever did it and wherever the job was. Its input is a
   * `CancelledJob`.
   */
  readonly onCancelled?: OutcomeJob<CancelledJob<Stated<Input>>>;
}

/** Which handler, in which queue. */
export interface OutcomeTarget {
  readonly name: string;
  readonly queue: string;
}

/** The jobs of a definition's outcomes. */
export interface OutcomeJobs {
  readonly succeeded?: OutcomeTarget;
  readonly dead?: OutcomeTarget;
  readonly cancelled?: OutcomeTarget;
}

/**
 * @returns undefined where nobody is to be told of anything
 * @throws MillraceError `invalid-option`, `invalid-name`
 */
export function outcomeJobs<Input, Output>({
  onSucceeded,
  onDead,
  onCancelled,
}: OutcomeOptions<Input, Output>): OutcomeJobs | undefined {
  if (onSucceeded === undefined && onDead === undefined && onCancelled === undefined)
    return undefined;
  return Object.freeze({
    ...(onSucceeded === undefined ? {} : { succeeded: target(onSucceeded, "onSucceeded") }),
    ...(onDead === undefined ? {} : { dead: target(onDead, "onDead") }),
    ...(onCancelled === undefined ? {} : { cancelled: target(onCancelled, "onCancelled") }),
  });
}

function target(job: unknown, field: string): OutcomeTarget {
  if (typeof job !== "object" || job === null || !("name" in job) || !("queue" in job))
    throw new MillraceError(
      "invalid-option",
      `${field}: must be a job's definition, as defineJob() returns it.`,
    );
  return Object.freeze({ name: requireJobName(job.name), queue: requireQueueName(job.queue) });
}
