import {
  type Broker,
  CLOCK_SLACK_MS,
  type HistoryRecord,
  type JobRef,
  type WaitingJob,
} from "@millrace/core";

/** What a queue remembers at the least, where its settings do not say it. */
const UNKNOWN_WINDOW_MS = 0;

/** Which jobs of an id are meant, where its id may have been another's before. */
export interface Meant {
  recorded(record: HistoryRecord): boolean;
  waits(job: WaitingJob): boolean;
}

/**
 * Since when a job of this id waits, runs, is dead or has a record, apart from what its queue
 * itself knows for as long as an enqueue takes. The queue is searched only where something in it is
 * older.
 *
 * @param meant default: any job of the id, also one of which only the dead letter is left
 * @returns when something of it was stored, by the broker's clock; undefined where it is not known
 */
export async function onRecordSince(
  broker: Broker,
  job: JobRef,
  meant?: Meant,
): Promise<number | undefined> {
  const recorded = await recordedAt(broker, job, meant);
  if (recorded !== undefined) return recorded;
  const waiting = await broker.findWaiting(job.id, {
    queue: job.queue,
    storedBefore: await forgottenBefore(broker, job.queue),
    ...(meant === undefined ? {} : { where: (found: WaitingJob) => meant.waits(found) }),
  });
  // One that moved from one place to another meanwhile has left a record.
  return waiting?.storedAt ?? recordedAt(broker, job, meant);
}

/**
 * The server's time before which the queue may have forgotten an id: an enqueue may be on its way
 * for as long as the clocks of a cluster may be apart.
 */
export async function forgottenBefore(broker: Broker, queue: string): Promise<number> {
  const [now, { dedupeWindowMs = UNKNOWN_WINDOW_MS }] = await Promise.all([
    broker.serverNow(),
    broker.queues.settings(queue),
  ]);
  return now - Math.max(0, dedupeWindowMs - CLOCK_SLACK_MS);
}

async function recordedAt(
  broker: Broker,
  job: JobRef,
  meant: Meant | undefined,
): Promise<number | undefined> {
  // Another of the id may have the newest record.
  if (meant !== undefined)
    return (await broker.history.stored(job)).find(({ record }) => meant.recorded(record))
      ?.storedAt;
  const [ended, requeued, letters] = await Promise.all([
    broker.history.last(job, "ended"),
    broker.history.last(job, "requeued"),
    broker.deadLetters.list({ ...job, limit: 1 }),
  ]);
  return (ended ?? requeued)?.storedAt ?? letters[0]?.at;
}
