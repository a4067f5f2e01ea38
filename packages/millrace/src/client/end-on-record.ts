import type { Broker, HistoryRecord } from "@millrace/core";
import type { AwaitedJob } from "./job-result.ts";

export function isFinal(record: HistoryRecord): boolean {
  return record.state !== "requeued";
}

/**
 * The record that ended the job, if it has ended. The end of an earlier life does not count:
 * neither of an earlier job with the same id, nor a death from which an operator brought the job
 * back.
 *
 * @param heard a record that was told just now, and may not be readable yet
 */
export async function endOnRecord(
  broker: Broker,
  job: AwaitedJob,
  heard?: HistoryRecord,
): Promise<HistoryRecord | undefined> {
  for (let seen: HistoryRecord | undefined; ;) {
    const last = later((await broker.history.read(job)).at(-1), heard);
    if (last === undefined || !isFinal(last) || isEarlier(last, job)) return undefined;
    if (!isDeath(last)) return last;
    // Where the job was looked for and not found, a second look at the history settles it: it may
    // have run in between.
    if (seen !== undefined && isSame(seen, last)) return last;
    if (await isLaidOut(broker, job)) return last;
    const waiting = await broker.findWaiting(job.id, { queue: job.queue });
    if (waiting !== undefined && waiting.envelope.generation > last.generation) return undefined;
    seen = last;
  }
}

/** The letter of a dead job lies there until it is retried or discarded. */
async function isLaidOut(broker: Broker, { id, queue }: AwaitedJob): Promise<boolean> {
  return (await broker.deadLetters.list({ id, queue, limit: 1 })).length > 0;
}

/** Dead letters can be retried; what ended otherwise has ended. */
export function isDeath({ state }: HistoryRecord): boolean {
  return state === "dead" || state === "expired";
}

/** Places in a queue only grow. */
function later(
  a: HistoryRecord | undefined,
  b: HistoryRecord | undefined,
): HistoryRecord | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return (b.sequence ?? 0) > (a.sequence ?? 0) ? b : a;
}

export function isEarlier(record: HistoryRecord, { sequence }: AwaitedJob): boolean {
  return sequence !== undefined && record.sequence !== undefined && record.sequence < sequence;
}

function isSame(a: HistoryRecord, b: HistoryRecord): boolean {
  return a.generation === b.generation && a.sequence === b.sequence && a.at === b.at;
}
