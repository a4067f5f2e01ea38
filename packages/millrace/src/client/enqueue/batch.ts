import {
  type BatchOptions,
  type Broker,
  callBackIfOver,
  type Clock,
  type EnqueueResult,
  type Envelope,
  type EnvelopeSource,
  isNotStored,
  joinBatch,
  makeBatch,
  MillraceError,
  MOST_BATCH_JOBS,
  planBatch,
  type PlannedJob,
  withCreatedAt,
} from "@millrace/core";
import { endedMembers, enqueueMembers } from "./batch-again.ts";
import { type EnqueuedBatch, leaveAtOnce } from "./leave-at-once.ts";
import { type JobHandle, jobHandle, type ResultOptions } from "../jobs/job-handle.ts";
import { type CallLimits } from "../call-limits.ts";

/** A batch that was enqueued. */
export interface BatchHandle<Output = unknown> {
  readonly id: string;
  readonly jobs: readonly JobHandle[];
  /** Jobs that the broker did not take: they count as ended. */
  readonly refused: readonly { readonly id: string; readonly error: MillraceError }[];
  /** A `duplicate` where the batch was over before: nothing was enqueued. */
  readonly callback: JobHandle<Output>;
  /** How many jobs have not ended. */
  left(limits?: CallLimits): Promise<number>;
  /** The callback's result, once every job has ended and the callback too. */
  result(options?: ResultOptions): Promise<Output>;
}

/**
 * Enqueues jobs that belong together. The set of their ids is stored before the first of them is
 * enqueued.
 *
 * @throws MillraceError `invalid-option` where there are more than 100,000; `invalid-payload` and
 *   its kin before anything was enqueued; `queue-not-found` for the callback's queue;
 *   `publish-timeout` where it is not known of all jobs whether they are stored: make the batch
 *   again with the same ids
 */
export async function enqueueBatch<Input, Parsed, Output>(
  broker: Broker,
  clock: Clock,
  source: EnvelopeSource,
  planned: readonly PlannedJob[],
  options: BatchOptions<Input, Parsed, Output>,
): Promise<BatchHandle<Output>> {
  const { maxValues } = broker;
  const plan = planBatch(planned, options, source, { most: MOST_BATCH_JOBS, maxValues });
  const { id, isKey, members, callback } = await makeBatch(plan);
  await broker.queues.snapshot(callback.queue);
  // It is compared with times of the server's, and the next to make it may have another clock.
  const batch = { id, createdAt: await broker.serverNow(), callback };
  const refs = members.map((member) => ({ id: member.id, queue: member.queue }));
  const { madeAt, isOver } = await joinBatch(broker, batch, refs, { isKey });
  const results = isOver
    ? await endedMembers(broker, callback, id, refs)
    : await takeMembers(broker, members, { id, madeAt, at: batch.createdAt });
  await callBackIfOver(broker, id);
  const handled = { id: callback.id, queue: callback.queue, closesBatch: id };
  return {
    id,
    jobs: members.flatMap(({ createdAt }, at) => {
      const result = results[at];
      return result?.ok === true
        ? [jobHandle(broker, clock, withCreatedAt(result, createdAt))]
        : [];
    }),
    refused: results.filter((result) => !result.ok),
    callback: jobHandle(broker, clock, { ...handled, duplicate: isOver }),
    left: () => broker.batches.left(id),
    result: (wait) =>
      jobHandle<Output>(broker, clock, { ...handled, duplicate: false }).result(wait),
  };
}

/** @throws MillraceError `publish-timeout` */
async function takeMembers(
  broker: Broker,
  members: readonly Envelope[],
  batch: EnqueuedBatch,
): Promise<readonly EnqueueResult[]> {
  const results = await enqueueMembers(broker, members, batch);
  requireKnown(batch.id, results);
  return leaveAtOnce(broker, batch, results);
}

/**
 * What may be stored may run: it can't be counted as refused. Nor can any of the rest, for all of
 * them are sent again together.
 *
 * @throws MillraceError `publish-timeout`
 */
function requireKnown(batch: string, results: readonly EnqueueResult[]): void {
  const open = results.filter((result) => !result.ok && !isNotStored(result.error));
  const [first] = open;
  if (first === undefined || first.ok) return;
  throw new MillraceError(
    "publish-timeout",
    `${open.length} of the ${results.length} jobs of the batch ${batch} may or may not be stored (${first.id}: ${first.error.message}). The batch stays open. Make it again with the same id and the same ids of its jobs: what is there already is left alone.`,
    { cause: first.error },
  );
}
