import type { Broker } from "../broker/broker.ts";
import type { AnyJobDefinition } from "../job/define-job.ts";
import { requireDefinition } from "../job/require-definition.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { type EnqueueItemResult, unanswered } from "./enqueue-many.ts";
import { ENQUEUE_ITEM, isKey, type OnceOptions, requireItems } from "./job-key.ts";
import { makeEnvelope, type EnvelopeSource } from "./make-envelope.ts";
import { isUnique } from "./prepare-job.ts";

/** As many as the server stores as one. */
const MOST = 1_000;

/**
 * Enqueues all of the jobs or none.
 *
 * @throws MillraceError what keeps the first of them from being made, or all from being stored:
 *   nothing is. After `publish-timeout` all may be stored, or none
 */
export async function enqueueTogether(
  broker: Pick<Broker, "enqueue">,
  job: AnyJobDefinition,
  items: readonly (OnceOptions & { readonly input: unknown })[],
  source: EnvelopeSource,
): Promise<readonly EnqueueItemResult[]> {
  requireDefinition(job);
  requireItems(items);
  if (items.length > MOST)
    throw refused(`${items.length} jobs are more than ${MOST}, the most that are stored as one`);
  if (items.some((item) => isUnique(job, item)))
    throw refused("a job with a unique key can't be stored as one with others");
  const keys = new Set(items.flatMap((item) => (isKey(item) ? [item.id ?? ""] : [])));
  const envelopes = await Promise.all(
    items.map(async (item) => makeEnvelope(job, item.input, item, source, ENQUEUE_ITEM)),
  );
  if (envelopes.length === 0) return [];
  const results = await broker.enqueue(envelopes, { together: true, keys });
  return envelopes.map(({ id }, index): EnqueueItemResult => {
    const result = results[index];
    if (result === undefined) throw unanswered(id);
    if (!result.ok) throw result.error;
    return { ok: true, id, queue: result.queue, duplicate: result.duplicate };
  });
}

function refused(why: string): MillraceError {
  return new MillraceError(
    "invalid-option",
    `atomic: ${why}. Enqueue fewer, or without atomic: then each is confirmed for itself.`,
  );
}
