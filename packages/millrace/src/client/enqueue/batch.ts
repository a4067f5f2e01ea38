import {
  batchEnd,
  type BatchEnded,
  type Broker,
  callBack,
  type Clock,
  type EnqueueOptions,
  type EnqueueResult,
  type Envelope,
  type EnvelopeSource,
  isNotStored,
  type JobDefinition,
  makeEnvelope,
  MillraceError,
  requireId,
  requireSendable,
} from "@millrace/core";
import { enqueueMembers } from "./batch-again.ts";
import { type JobHandle, jobHandle, type ResultOptions } from "../jobs/job-handle.ts";

/** A job with its input, checked against each other; made by `planJob`. */
export interface PlannedJob {
  readonly envelope: (source: EnvelopeSource) => Envelope | Promise<Envelope>;
}

/**
 * A job to be part of a batch.
 *
 * @example
 * await millrace.batch(
 *   files.map((file) => planJob(digest, { file })),
 *   { callback: { job: report, input: { day } } },
 * );
 */
export function planJob<Input, Parsed, Output>(
  job: JobDefinition<Input, Parsed, Output>,
  input: NoInfer<Input>,
  options: EnqueueOptions = {},
): PlannedJob {
  return { envelope: (source) => makeEnvelope(job, input, options, source) };
}

export interface BatchOptions<Input, Parsed, Output> {
  /** Enqueued once when every job of the batch has ended, however it ended. */
  readonly callback: {
    readonly job: JobDefinition<BatchEnded<Input>, Parsed, Output>;
    readonly input: NoInfer<Input>;
    readonly options?: Omit<EnqueueOptions, "id">;
  };
  /**
   * Making a batch again with the same id and the same jobs' ids is harmless: until it has ended,
   * at any time; afterwards for as long as its queues remember ids. Up to 100 characters. Default:
   * a new UUID.
   */
  readonly id?: string;
}

/** A batch that was enqueued. */
export interface BatchHandle<Output = unknown> {
  readonly id: string;
  readonly jobs: readonly JobHandle[];
  /** Jobs that the broker did not take: they count as ended. */
  readonly refused: readonly { readonly id: string; readonly error: MillraceError }[];
  readonly callback: JobHandle<Output>;
  /** How many jobs have not ended. */
  left(): Promise<number>;
  /** The callback's result, once every job has ended and the callback too. */
  result(options?: ResultOptions): Promise<Output>;
}

const LONGEST_ID = 100;
/** All of them are in memory at once, here and in whoever reads how they ended. */
const MOST_JOBS = 100_000;

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
  if (planned.length > MOST_JOBS)
    throw new MillraceError(
      "invalid-option",
      `A batch has up to 100,000 jobs; this one has ${planned.length}. Make several, or have a job of the batch enqueue more.`,
    );
  const id = batchId(options.id ?? source.newId());
  const members = await Promise.all(
    planned.map(async ({ envelope }) => ({ ...(await envelope(source)), batch: id })),
  );
  const callback = await callbackEnvelope(id, options, source, broker);
  await broker.queues.snapshot(callback.queue);
  const known = await broker.batches.find(id);
  await broker.batches.open({ id, createdAt: known?.createdAt ?? source.now(), callback });
  await broker.batches.join(
    id,
    members.map((member) => ({ id: member.id, queue: member.queue })),
  );
  const results = await enqueueMembers(broker, members, known);
  requireKnown(id, results);
  for (const result of results) await leaveAtOnce(broker, id, result);
  // On the runtime's door, as a node does it: on a producers' the id could be anybody's.
  if ((await broker.batches.left(id)) === 0)
    await callBack(broker, id, (envelope) => broker.requeue(envelope), true);
  return {
    id,
    jobs: results.filter((result) => result.ok).map((result) => jobHandle(broker, clock, result)),
    refused: results.filter((result) => !result.ok),
    callback: jobHandle(broker, clock, { ...callback, duplicate: false }),
    left: () => broker.batches.left(id),
    result: (wait) =>
      jobHandle<Output>(broker, clock, { ...callback, duplicate: false }).result(wait),
  };
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

/**
 * A job that no node will settle, because it was refused or has ended before, would keep the batch
 * open for ever.
 */
async function leaveAtOnce(broker: Broker, batch: string, result: EnqueueResult): Promise<void> {
  if (!result.ok) return void (await broker.batches.leave(batch, result, "refused"));
  if (!result.duplicate) return;
  const last = (await broker.history.read(result)).at(-1);
  const end = last === undefined ? undefined : batchEnd(last.state);
  if (end !== undefined) await broker.batches.leave(batch, result, end);
}

/** Its input is checked by the node, when it is whole. */
async function callbackEnvelope<Input, Parsed, Output>(
  id: string,
  { callback: { job, input, options = {} } }: BatchOptions<Input, Parsed, Output>,
  source: EnvelopeSource,
  { maxValues }: Pick<Broker, "maxValues">,
): Promise<Envelope> {
  const unchecked = { ...job, input: undefined };
  const rules = { maxValues, exact: true, wellFormed: true };
  return makeEnvelope(
    unchecked,
    requireSendable(input, "callback.input", rules),
    { ...options, id: `${id}:callback` },
    source,
  );
}

function batchId(id: string): string {
  if (requireId(id).length <= LONGEST_ID) return id;
  throw new MillraceError(
    "invalid-name",
    `A batch's id has up to ${LONGEST_ID} characters; this one has ${id.length}.`,
  );
}
