import {
  type AnyJob,
  type Envelope,
  keyOf,
  MillraceError,
  type QueueMessage,
  UniqueKey,
  type UniqueRule,
} from "@millrace/core";

/** What counts of a job that a node has met, and of its definition here. */
export interface Meeting {
  readonly id: string;
  readonly generation: number;
  /** By the server's clock where its message still shows it. */
  readonly enqueuedAt: number;
  /** Its place in the queue; undefined where the runtime has published it again since. */
  readonly sequence: number | undefined;
  /**
   * `run`: an attempt ended, or it was interrupted or snoozed. `perhaps`: a holder was lost, which
   * may have been before the start.
   */
  readonly earlier: "none" | "perhaps" | "run";
  readonly while: UniqueRule<never>["while"];
  readonly onConflict: UniqueRule<never>["onConflict"];
  /** When it may start, epoch milliseconds. */
  readonly notBefore: number | undefined;
  /** The node's own clock, epoch milliseconds. */
  readonly now: number;
}

/**
 * The key in the envelope, else the one the definition gives for the payload; undefined for a job
 * that is not unique.
 */
export function uniqueKeyOf(envelope: Envelope, job: AnyJob | undefined): UniqueKey | undefined {
  const { queue, uniqueKey } = envelope;
  if (uniqueKey !== undefined) return new UniqueKey(queue, uniqueKey);
  if (job?.unique == null) return undefined;
  try {
    return new UniqueKey(queue, keyOf<unknown>(job.unique.key, envelope.payload, "unique.key"));
  } catch (error) {
    // A payload that gives no key is for the input schema to refuse, or for the handler.
    if (!MillraceError.is(error)) throw error;
    return undefined;
  }
}

/** A job of no definition, or of one without a rule, is unique until it starts. */
export function meetingOf(
  envelope: Envelope,
  message: QueueMessage,
  job: AnyJob | undefined,
  crashes: number,
  now: number,
): Meeting {
  const { attempts, interruptions, snoozes } = envelope;
  return {
    id: envelope.id,
    generation: envelope.generation,
    enqueuedAt: enqueuedAt(envelope, message),
    sequence: message.origin !== "runtime" ? message.sequence : undefined,
    earlier:
      attempts > 0 || interruptions > 0 || snoozes > 0 ? "run" : crashes > 0 ? "perhaps" : "none",
    while: job?.unique?.while ?? "pending",
    onConflict: job?.unique?.onConflict ?? "keep",
    notBefore: envelope.notBefore,
    now,
  };
}

/** What the runtime published again was stored later than it was enqueued. */
function enqueuedAt(
  { createdAt, closes, firstStoredAt }: Envelope,
  { origin, storedAt }: QueueMessage,
): number {
  if (origin !== "runtime") return storedAt;
  // The server's clock, and not the producer's. A batch's callback is made with the batch, and
  // enqueued when that is over.
  return firstStoredAt ?? (closes === undefined ? createdAt : storedAt);
}
