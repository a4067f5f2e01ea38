import type { Envelope, JobRef } from "../envelope/envelope.ts";
import { MAX_REASON } from "../envelope/text-limits.ts";

/**
 * Somebody wants a job not to run, or to stop. Kept as a document from the call until the job has
 * ended, so that neither a restart nor an outage forgets it. Any program that can write to the
 * bucket may cancel a job.
 */
export interface Cancellation {
  readonly reason: string;
  /**
   * The creation time of the job that is meant, as its envelope has it. An id may be used again
   * once it has left the dedupe window, and this tells its jobs apart. Without it, whichever job
   * comes next under the id is meant.
   */
  readonly createdAt?: number;
  /** When the cancellation was asked for, epoch milliseconds by the asker's clock. For people. */
  readonly at?: number;
  /** The operation that asked for it, where it was one of many jobs. */
  readonly operation?: string;
}

/** The bucket of documents that cancellations are kept in. */
export const CANCELLATIONS_BUCKET = "cancellations";

const NO_REASON = "no reason given";

/**
 * Where a cancellation lies: under a key of its own for each creation, so that none ever takes the
 * place of one that means another job of the id.
 *
 * @param createdAt of the job that is meant. Default: whichever comes next under the id
 */
export function cancellationKey({ queue, id }: JobRef, createdAt?: number): string {
  return createdAt === undefined ? `${queue}.${id}` : `${queue}.${id}.${createdAt}`;
}

/**
 * Where a document may lie that means this very job: under the shorter key another program may have
 * said which one it means, or not. See `isMeant`.
 */
export function cancellationKeys(
  job: Pick<Envelope, "queue" | "id" | "createdAt">,
): readonly string[] {
  return [cancellationKey(job, job.createdAt), cancellationKey(job)];
}

/**
 * Whether it is this very job's: an id may be used again, and the time of creation tells its jobs
 * apart. Without one, whichever job comes is meant.
 */
export function isMeant(
  { createdAt }: Pick<Cancellation, "createdAt">,
  envelope: Pick<Envelope, "createdAt">,
): boolean {
  return createdAt === undefined || createdAt === envelope.createdAt;
}

/**
 * What a document means. Any document cancels: what can't be read of it is left out, because a
 * cancel must not fail for its wording.
 */
export function readCancellation(value: unknown): Cancellation {
  const { reason, createdAt, at, operation } = (
    typeof value === "object" && value !== null ? value : {}
  ) as {
    readonly [K in keyof Cancellation]: unknown;
  };
  return {
    reason: cancelReason(reason),
    ...(typeof createdAt === "number" ? { createdAt } : {}),
    ...(typeof at === "number" ? { at } : {}),
    ...(typeof operation === "string" ? { operation } : {}),
  };
}

/** The reason as it is kept: never empty, and not too long to be shown. */
export function cancelReason(given: unknown): string {
  if (typeof given !== "string" || given === "") return NO_REASON;
  // A cut may leave half a character, which no encoding has.
  return given.slice(0, MAX_REASON).toWellFormed();
}
