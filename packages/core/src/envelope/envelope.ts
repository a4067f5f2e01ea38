import type { RecordedError } from "../errors/recorded-error.ts";

/** The newest envelope version this code writes, and the highest it reads. */
export const ENVELOPE_VERSION = 1;

/** Priority lane. Absent means the normal one. */
export type Lane = "high" | "low";

/**
 * A job in transport: what brokers take and give. Times are epoch milliseconds.
 * The wire form is in `docs/wire-protocol.md`.
 */
export interface Envelope extends ProducerFields, SettlerFields {}

/** A job, named. */
export interface JobRef {
  readonly id: string;
  readonly queue: string;
}

/** Written by whoever enqueues, in any language; never changed afterwards. */
export interface ProducerFields {
  readonly id: string;
  /** The handler key. */
  readonly name: string;
  readonly queue: string;
  readonly lane?: Lane;
  readonly payload: unknown;
  readonly createdAt: number;
  readonly notBefore?: number;
  readonly expiresAt?: number;
  /** Overrides the job definition's number of attempts. */
  readonly maxAttempts?: number;
  /** Overrides the job definition's running timeout. */
  readonly timeoutMs?: number;
  readonly uniqueKey?: string;
  readonly concurrencyKey?: string;
  readonly tags?: readonly string[];
  /** The job in whose handler this one was enqueued. */
  readonly parent?: JobRef;
  /**
   * The batch it belongs to: when all of a batch's jobs have ended, the batch's callback is
   * enqueued.
   */
  readonly batch?: string;
  /**
   * The jobs that follow when this one has succeeded, each with the result of the one before it as
   * its payload.
   */
  readonly next?: readonly ChainLink[];
  /**
   * Headers that travel with the job through retries, delays and dead letters: trace context and
   * the producer's own.
   */
  readonly headers: Readonly<Record<string, string>>;
}

/** Written by settlement alone. Ignored in what a producer publishes. */
export interface SettlerFields {
  /** Attempts that ended in an outcome. The attempt now due is `attempts + 1`. */
  readonly attempts: number;
  /** Times the envelope was published again, for whatever reason. Makes the next message id. */
  readonly generation: number;
  /** Shutdowns that handed the job back while it ran. */
  readonly interruptions: number;
  /** Crashes of holders since the last outcome that the server's delivery count no longer shows. */
  readonly crashes: number;
  /** Times the handler asked to be run later without spending an attempt. */
  readonly snoozes: number;
  /** Times it was brought back from the dead letters; absent where never. */
  readonly life?: number;
  /**
   * When the job may start by its rate limit, by the broker's clock: its place is taken already,
   * and it must not ask for another.
   */
  readonly reservedAt?: number;
  /**
   * When the attempt now due could have started, where neither its creation nor its start time
   * tells: after a run that is followed at once, or where a start time was reached and is not
   * carried on. Read by `runnableAt`.
   */
  readonly runnableAt?: number;
  /**
   * It was brought forward to be cancelled, for this reason: nobody may run it any more, whatever
   * else is known of the cancellation.
   */
  readonly cancelled?: string;
  /**
   * Another of its messages may have been run, and may end yet: since when, epoch milliseconds of
   * the broker's clock. Set where such a job was sent to wait, and kept while a letter of such a
   * message lies there; whoever gets it asks before it runs.
   */
  readonly sharedSince?: number;
  /**
   * When the first message of this enqueue was stored, epoch milliseconds of the broker's clock:
   * ends of an earlier job of the same id are older.
   */
  readonly firstStoredAt?: number;
  /**
   * What tells its enqueue from others of its id, whose idempotency key is not its id alone: where
   * its first message lay that had another key, or none; of a job that follows another, when that
   * one succeeded. Others are other jobs, however soon they came.
   */
  readonly unkeyed?: number;
  /**
   * Of a job that was enqueued anew in the place of a cancelled one: when the first of these was
   * created, which may have had effects that nobody knows of. Read by `effectsOf`.
   */
  readonly effectsOf?: number;
  readonly firstError?: RecordedError;
  readonly lastError?: RecordedError;
  /**
   * The queue on whose producers' door the job came in, or the one before it in its chain: who
   * wrote it reaches no further than that queue may. Absent: a trusted program enqueued it. Goes
   * with the job wherever it goes.
   */
  readonly sentFrom?: string;
  /** The job before it in its chain. */
  readonly follows?: JobRef;
  /** Of a batch's callback: the batch, and how its jobs ended. */
  readonly closes?: BatchCounts;
}

/**
 * A job that follows when the one before it has succeeded: it is enqueued with that one's result as
 * its payload.
 */
export interface ChainLink {
  /** Default: the id of the job before, with `:next` behind it. */
  readonly id?: string;
  readonly name: string;
  readonly queue: string;
  readonly lane?: Lane;
  readonly maxAttempts?: number;
  readonly timeoutMs?: number;
}

/** How many jobs of a batch ended how. */
export interface BatchCounts {
  readonly id: string;
  readonly total: number;
  readonly succeeded: number;
  readonly dead: number;
  readonly expired: number;
  readonly cancelled: number;
  readonly refused: number;
}

/** The settler's fields of a job that was never settled. */
export const UNSETTLED: SettlerFields = {
  attempts: 0,
  generation: 0,
  interruptions: 0,
  crashes: 0,
  snoozes: 0,
};

/**
 * The idempotency key under which a generation of a job is published. A `/` can't stand in an id,
 * so no producer's own id collides with a retry's.
 */
export function messageIdOf(envelope: Pick<Envelope, "id" | "generation">): string {
  return envelope.generation === 0 ? envelope.id : `millrace/${envelope.id}/${envelope.generation}`;
}

/**
 * Tells the effects of a job from those of others of its id. A job that was enqueued anew has those
 * of the cancelled one in whose place it is: what that one did is not done again.
 */
export function effectsOf({ createdAt, effectsOf: first }: Envelope): number {
  return first ?? createdAt;
}
