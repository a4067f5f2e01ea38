import {
  type AnyJob,
  crashesOf,
  type Envelope,
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
  /** Crashes in a row that make a job a dead letter. */
  readonly poisonAfter: number;
}

/**
 * Whether a delivered job may run now; if not, the outcome under which it is settled instead. Pure.
 * The order matters: a job that nobody can run is dead before it is late.
 */
export function admit(input: AdmissionInput): Outcome | undefined {
  const { envelope, job, now, message } = input;
  if (job === undefined) {
    return {
      kind: "rejected",
      reason: "unknown-name",
      error: {
        type: "unknown-name",
        message: `No handler called ${envelope.name} serves queue ${envelope.queue}. Deploy a node that has it, then retry the dead letter.`,
      },
    };
  }
  if (crashesOf(input) >= input.poisonAfter) return { kind: "crashed" };
  if (expiresAt(envelope, job) <= now) return { kind: "expired" };
  // What the runtime itself published was delayed already; looking again with another node's clock would send it round in circles.
  if (
    message.origin === "producer" &&
    envelope.notBefore !== undefined &&
    envelope.notBefore > now
  ) {
    return { kind: "deferred", untilMs: envelope.notBefore };
  }
  return undefined;
}

/** The producer's expiry, and for a job that never ran the definition's queued timeout: from its start time, where it has one. */
function expiresAt(envelope: Envelope, job: AnyJob): number {
  const explicit = envelope.expiresAt ?? Infinity;
  if (job.queuedTimeoutMs === undefined || envelope.attempts > 0) return explicit;
  return Math.min(
    explicit,
    Math.max(envelope.createdAt, envelope.notBefore ?? 0) + job.queuedTimeoutMs,
  );
}
