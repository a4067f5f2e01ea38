import {
  type AnyJob,
  crashesOf,
  type Envelope,
  firstStoredAt,
  type QueueMessage,
} from "@millrace/core";

interface Waiting {
  readonly envelope: Envelope;
  readonly message: QueueMessage;
  readonly deliveryCount: number;
}

/**
 * The producer's expiry, and for a job that never ran the definition's queued timeout: from when it
 * was stored, or from its start time, where it has one. What a producer's clock said does not
 * count; nor does a dead letter's first life, for one that was retried.
 */
export function expiresAt(waiting: Waiting, job: AnyJob): number {
  const { envelope, message } = waiting;
  const explicit = envelope.expiresAt ?? Infinity;
  if (job.queuedTimeoutMs === undefined || hasRun(waiting)) return explicit;
  const { life = 0, notBefore = 0, runnableAt = 0 } = envelope;
  const since = life === 0 ? firstStoredAt(envelope, message) : runnableAt || message.storedAt;
  // A start time that was reached is not carried on: who settled it has noted it.
  return Math.min(explicit, Math.max(since, notBefore, runnableAt) + job.queuedTimeoutMs);
}

/**
 * Whatever ended an earlier run, the job did not wait in vain: it was interrupted, snoozed, failed,
 * or its holder crashed.
 */
function hasRun(waiting: Waiting): boolean {
  const { attempts, interruptions, snoozes } = waiting.envelope;
  return attempts > 0 || interruptions > 0 || snoozes > 0 || crashesOf(waiting) > 0;
}
