import type { BatchEnd } from "../broker/stores/batch-store.ts";
import type { Broker, WaitingJob } from "../broker/broker.ts";
import type { JobRef } from "../envelope/envelope.ts";
import type { HistoryRecord } from "../settlement/history-record.ts";
import { enqueuedAt } from "../settlement/one-end.ts";
import { CLOCK_SLACK_MS } from "../time/clock-slack.ts";
import { batchEnd, callBack } from "./call-back.ts";
import { enqueueCallback } from "./enqueue-or-bury.ts";

/** What is known of the job that a queue has instead of one that it dropped as a duplicate. */
export interface Kept {
  /** Its first message's place in the queue, where the queue has told it. */
  readonly place?: number;
  /** Otherwise: it was stored then or later, by the broker's clock. */
  readonly since: number;
}

/**
 * Takes a job out of its batch that its queue dropped as a duplicate, unless what the queue has is
 * a job of this batch: that one's node takes it out. No node does so of another's, so it would keep
 * the batch open for ever. A job that has ended counts by its end, any other as refused.
 *
 * @returns how it left; undefined where it stays, until it has ended
 */
export async function leaveUnlessMember(
  broker: Broker,
  batch: string,
  job: JobRef,
  kept: Kept,
): Promise<BatchEnd | undefined> {
  const end = await endOfKept(broker, batch, job, kept);
  if (end !== undefined) await broker.batches.leave(batch, job, end);
  return end;
}

/**
 * How the job that the queue has counts. An earlier job of the id may have ended, and be on record,
 * while this one waits and has no record yet.
 */
async function endOfKept(
  broker: Broker,
  batch: string,
  job: JobRef,
  kept: Kept,
): Promise<BatchEnd | undefined> {
  const { place, since } = kept;
  if (place === undefined) return endOfKeptSince(broker, batch, job, since);
  // It waits, and then it has a record: looked for in this order, it is not missed in between.
  const found = await broker.findWaiting(job.id, { queue: job.queue, place });
  if (found?.envelope.batch === batch) return undefined;
  const records = await broker.history.read(job);
  const first = records.findLast(
    ({ generation, sequence }) => generation === 0 && sequence === place,
  );
  if (first !== undefined) return endOf(batch, ofEnqueue(records, first));
  // It was never settled: what waits is it, but for an earlier job that waits for its time.
  if (found?.state === "queued") return "refused";
  return endOfKeptSince(broker, batch, job, since);
}

async function endOfKeptSince(
  broker: Broker,
  batch: string,
  job: JobRef,
  since: number,
): Promise<BatchEnd | undefined> {
  // One that names the batch tells so by itself: then the queue need not be searched.
  const before = await broker.history.read(job);
  const own = before.findLast(
    (record) => record.batch === batch && enqueuedAt(record) >= since - CLOCK_SLACK_MS,
  );
  if (own !== undefined) return endOf(batch, ofEnqueue(before, own));
  const where = ({ envelope }: WaitingJob): boolean => envelope.batch === batch;
  if ((await broker.findWaiting(job.id, { queue: job.queue, where })) !== undefined)
    return undefined;
  const records = await broker.history.read(job);
  const last = records.findLast(
    (record) => record.unkeyed === undefined && enqueuedAt(record) >= since,
  );
  if (last !== undefined) return endOf(batch, ofEnqueue(records, last));
  return "refused";
}

function ofEnqueue(
  records: readonly HistoryRecord[],
  { firstStoredAt, unkeyed }: HistoryRecord,
): readonly HistoryRecord[] {
  return records.filter((one) => one.firstStoredAt === firstStoredAt && one.unkeyed === unkeyed);
}

/** @returns undefined where it is a job of the batch that has not ended */
function endOf(batch: string, records: readonly HistoryRecord[]): BatchEnd | undefined {
  // A dead letter that was retried has ended, as far as a batch is concerned.
  const ended = records.findLast(({ state }) => batchEnd(state) !== undefined);
  if (ended !== undefined) return batchEnd(ended.state);
  return records.some((record) => record.batch === batch) ? undefined : "refused";
}

/**
 * Enqueues the callback of a batch of which no job is left, on the runtime's door, as a node does
 * it: on a producers' the id could be anybody's. It is delayed where its queue is full, for nobody
 * may look at the batch again.
 *
 * @throws MillraceError what else its queue says of it
 */
export async function callBackIfOver(broker: Broker, batch: string): Promise<void> {
  const host = { broker, clock: { now: () => broker.serverNow() } };
  await callBack(broker, batch, (callback) => enqueueCallback(host, callback), true);
}
