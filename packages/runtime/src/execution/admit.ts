import {
  type AnyJob,
  crashesOf,
  type Envelope,
  firstStoredAt,
  type Outcome,
  type QueueMessage,
} from "@millrace/core";

export interface AdmissionInput {
  readonly envelope: Envelope;
  readonly message: QueueMessage;
  readonly deliveryCount: number;
  readonly job: AnyJob | undefined;
  /** Epoch milliseconds. */
  readonly now: number;
  /** It took its holders down too many times. */
  readonly isPoison: boolean;
}

/** The definition to run by. */
export interface Admitted {
  readonly job: AnyJob;
}

/** The definition to run by, or the outcome under which the job is settled instead. */
export type AdmissionVerdict = Admitted | { readonly refusal: Outcome };

/**
 * Whether a delivered job may run now. Pure.
 * The order matters: a job that nobody can run is dead before it is late.
 */
export function admit(input: AdmissionInput): AdmissionVerdict {
  const { envelope, job, now, message } = input;
  if (job === undefined) {
    return {
      refusal: {
        kind: "rejected",
        reason: "unknown-name",
        error: {
          type: "unknown-name",
          message: `No handler called ${envelope.name} serves queue ${envelope.queue} on the node that got the job. Every node of a queue needs all of its handlers: deploy it there, then retry the dead letter. Or enqueue the job on the queue of its definition, or give the definition a queue of its own.`,
        },
      },
    };
  }
  if (input.isPoison) return { refusal: { kind: "crashed" } };
  if (expiresAt(input, job) <= now) return { refusal: { kind: "expired" } };
  // What the runtime itself published was delayed already; looking again with another node's clock
  // would send it round in circles.
  if (
    message.origin !== "runtime" &&
    envelope.notBefore !== undefined &&
    envelope.notBefore > now
  ) {
    return { refusal: { kind: "deferred", untilMs: envelope.notBefore } };
  }
  return { job };
}

/**
 * The producer's expiry, and for a job that never ran the definition's queued timeout: from when it
 * was stored, or from its start time, where it has one. What a producer's clock said does not
 * count; nor does a dead letter's first life, for one that was retried.
 */
function expiresAt(input: AdmissionInput, job: AnyJob): number {
  const { envelope, message } = input;
  const explicit = envelope.expiresAt ?? Infinity;
  if (job.queuedTimeoutMs === undefined || hasRun(input)) return explicit;
  const { life = 0, notBefore = 0, runnableAt = 0 } = envelope;
  const since = life === 0 ? firstStoredAt(envelope, message) : runnableAt || message.storedAt;
  // A start time that was reached is not carried on: who settled it has noted it.
  return Math.min(explicit, Math.max(since, notBefore, runnableAt) + job.queuedTimeoutMs);
}

/**
 * Whatever ended an earlier run, the job did not wait in vain: it was interrupted, snoozed, failed,
 * or its holder crashed.
 */
function hasRun(input: AdmissionInput): boolean {
  const { attempts, interruptions, snoozes } = input.envelope;
  return attempts > 0 || interruptions > 0 || snoozes > 0 || crashesOf(input) > 0;
}
