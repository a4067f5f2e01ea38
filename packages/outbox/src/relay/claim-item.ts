import {
  type EnqueueItemResult,
  type ErrorCode,
  MillraceError,
  type PreparedJob,
} from "@millrace/core";
import type { PublishedJob } from "./leave-batches.ts";
import type { SetAside } from "../store/outbox-store.ts";

/** A row of a claim that can be published. */
export interface ClaimItem {
  readonly seq: number;
  readonly job: PreparedJob;
}

/** Errors that no later try can mend: they are the row's own. */
const FOR_GOOD: ReadonlySet<ErrorCode> = new Set([
  "payload-too-large",
  "unserializable-payload",
  "invalid-header",
  "invalid-name",
  "invalid-message",
  "invalid-option",
]);

/** A job of a claim that could not be published. */
export interface Failure {
  /** Among the jobs that were to be. */
  readonly place: number;
  readonly error: MillraceError;
}

export function failures(results: readonly EnqueueItemResult[]): readonly Failure[] {
  return results.flatMap((result, place) => (result.ok ? [] : [{ place, error: result.error }]));
}

/** Whether no later try can publish what this was said of. */
export function isForGood(error: unknown): error is MillraceError {
  return MillraceError.is(error) && FOR_GOOD.has(error.code);
}

/**
 * @returns the rows that can never be published
 * @throws MillraceError of one that a later try may publish
 */
export function failuresForGood(
  items: readonly ClaimItem[],
  failed: readonly Failure[],
): readonly SetAside[] {
  return failed.map(({ place, error }) => {
    if (!FOR_GOOD.has(error.code)) throw error;
    return { seq: items[place]?.seq ?? -1, ...reasonOf(error) };
  });
}

/**
 * A row whose job was refused while its unique key stays claimed is not set aside yet: the next one
 * of the key would be taken for kept out by it, and go, though nobody runs. Once the claim's lease
 * is over it is known whether an earlier message of the job is stored.
 *
 * @param standing jobs that were refused, and whose claims stand
 * @throws MillraceError `revision-conflict` where there is one
 */
export function requireGivenBack(standing: ReadonlySet<PreparedJob>): void {
  for (const { envelope, unique } of standing)
    throw new MillraceError(
      "revision-conflict",
      `The unique key ${JSON.stringify(unique?.key)} of queue ${envelope.queue} is still claimed for ${envelope.id}, which could not be enqueued now. Try again.`,
    );
}

export function reasonOf({ code, message }: MillraceError): Omit<SetAside, "seq"> {
  return { reason: code, detail: message };
}

/** Ids of jobs that were not enqueued, because another of each id is there. */
export function keptOut(results: readonly EnqueueItemResult[]): readonly string[] {
  return results.flatMap((result) => (result.ok && result.duplicate ? [result.id] : []));
}

/**
 * Those that are in their queue now.
 *
 * @param results in the order of the items; undefined where one was not published by this call
 */
export function publishedJobs(
  items: readonly ClaimItem[],
  results: readonly (EnqueueItemResult | undefined)[],
): readonly PublishedJob[] {
  return items.flatMap(({ job: { envelope } }, place) => {
    const result = results[place];
    if (result?.ok === false) return [];
    return [{ envelope, duplicate: result?.duplicate }];
  });
}
