import {
  type AnyJobDefinition,
  type Broker,
  type EnqueuedJob,
  MillraceError,
  type Producer,
} from "@millrace/core";
import type { OnceOptions } from "./client.ts";

/**
 * Less than the queue remembers ids: so long an enqueue may be on its way, and so far the clocks of
 * a cluster may be apart.
 */
const SLACK_MS = 60_000;
/** What a queue remembers at the least, where its settings do not say it. */
const UNKNOWN_WINDOW_MS = 0;

export interface OnceJob {
  readonly job: AnyJobDefinition;
  readonly input: unknown;
  readonly options: OnceOptions;
}

/**
 * Enqueues a job unless its id is known. Of two that look at the same time both find nothing; the
 * queue itself takes one of them, because it remembers ids for longer than an enqueue takes.
 *
 * @throws MillraceError `invalid-option` without an id; what `enqueue` throws
 */
export async function enqueueOnce(
  broker: Broker,
  via: Producer,
  { job, input, options }: OnceJob,
): Promise<EnqueuedJob> {
  const { once, ...rest } = options;
  if (typeof once !== "boolean")
    throw new MillraceError("invalid-option", `once: must be true or false; got ${String(once)}.`);
  if (!once) return via.enqueue(job, input, rest);
  if (rest.id === undefined)
    throw new MillraceError(
      "invalid-option",
      "once: needs an id, by which the job is looked up. Give one that stands for what is to be done once.",
    );
  // Bad input is an error whether or not the id is known.
  const prepared = await via.prepare(job, input, rest);
  const { id, queue } = prepared.envelope;
  if (await isIdKnown(broker, { id, queue })) return { id, queue, duplicate: true };
  return via.sendOne(prepared);
}

/**
 * Whether a job of this id waits, runs, is dead or has a record, apart from what its queue itself
 * knows for as long as an enqueue takes. The queue is searched only where something in it is older.
 */
async function isIdKnown(
  broker: Broker,
  job: { readonly id: string; readonly queue: string },
): Promise<boolean> {
  if (await isOnRecord(broker, job)) return true;
  const [now, { dedupeWindowMs = UNKNOWN_WINDOW_MS }] = await Promise.all([
    broker.serverNow(),
    broker.queues.settings(job.queue),
  ]);
  const storedBefore = now - Math.max(0, dedupeWindowMs - SLACK_MS);
  const waiting = await broker.findWaiting(job.id, { queue: job.queue, storedBefore });
  // One that moved from one place to another meanwhile has left a record.
  return waiting !== undefined || isOnRecord(broker, job);
}

async function isOnRecord(
  broker: Broker,
  job: { readonly id: string; readonly queue: string },
): Promise<boolean> {
  const [ended, requeued, letters] = await Promise.all([
    broker.history.last(job, "ended"),
    broker.history.last(job, "requeued"),
    broker.deadLetters.list({ ...job, limit: 1 }),
  ]);
  return ended !== undefined || requeued !== undefined || letters.length > 0;
}
