import type { Broker, WaitingJob } from "../broker/broker.ts";
import type { Envelope, JobRef } from "../envelope/envelope.ts";
import type { FirstMessage } from "../envelope/enqueue-ref.ts";
import type { HistoryRecord } from "../settlement/history-record.ts";
import { CLOCK_SLACK_MS } from "../time/clock-slack.ts";

/** What else tells a job from others of its id. */
export interface JobTraits {
  readonly waiting: (envelope: Envelope) => boolean;
  readonly recorded: (record: HistoryRecord) => boolean;
  /**
   * What was stored since then, by the broker's clock, had the queue drop the job as a duplicate,
   * whoever made it. Default: only the job itself counts.
   */
  readonly droppedSince?: number;
}

const ANY: JobTraits = { waiting: () => true, recorded: () => true };

/**
 * Whether an enqueue of a job is in its queue, or was: it waits, runs, or has a record. Asked maybe
 * so late that the queue has forgotten the id. It is told from others of its id by when it was
 * made, as its producer said it, whose clock may be wrong by any time.
 */
export function wasEnqueued(
  broker: Pick<Broker, "history" | "findWaiting">,
  { id, queue, createdAt }: Pick<Envelope, "id" | "queue" | "createdAt">,
  { waiting, recorded, droppedSince = Number.POSITIVE_INFINITY }: JobTraits = ANY,
): Promise<boolean> {
  const since = createdAt - CLOCK_SLACK_MS;
  // What has another idempotency key than the id keeps nothing of the id out.
  const hasDropped = ({ firstStoredAt, unkeyed }: FirstMessage): boolean =>
    firstStoredAt !== undefined && firstStoredAt >= droppedSince && unkeyed === undefined;
  return isAnyThere(
    broker,
    { id, queue },
    {
      waiting: (other, storedAt) =>
        (other.createdAt === createdAt && waiting(other)) ||
        hasDropped({ firstStoredAt: storedAt, ...other }),
      // Some records don't say when their job was made.
      recorded: (record) =>
        ((record.createdAt === undefined ? record.at >= since : record.createdAt === createdAt) &&
          recorded(record)) ||
        hasDropped(record),
    },
  );
}

/**
 * The same where it is not known when the job was made, but for the time before which it was not.
 * Nothing else has its id since.
 *
 * @param since by a clock that follows the server's
 */
export function wasEnqueuedSince(
  broker: Pick<Broker, "history" | "findWaiting">,
  job: JobRef,
  since: number,
): Promise<boolean> {
  const from = since - CLOCK_SLACK_MS;
  return isAnyThere(broker, job, {
    waiting: ({ createdAt }) => createdAt >= from,
    recorded: ({ at }) => at >= from,
  });
}

interface Looked extends Pick<JobTraits, "recorded"> {
  readonly waiting: (envelope: Envelope, storedAt: WaitingJob["storedAt"]) => boolean;
}

async function isAnyThere(
  broker: Pick<Broker, "history" | "findWaiting">,
  { id, queue }: JobRef,
  { waiting, recorded }: Looked,
): Promise<boolean> {
  // It waits, and then it has a record: looked for in this order, it is not missed in between.
  const where = ({ envelope, storedAt }: WaitingJob): boolean => waiting(envelope, storedAt);
  const found = await broker.findWaiting(id, { queue, where });
  // A broker that knows no conditions gives whatever it finds.
  if (found !== undefined && where(found)) return true;
  return (await broker.history.read({ id, queue })).some(recorded);
}

/**
 * The same of a job that follows from another, before it is enqueued once more. A producer of the
 * queue may have used the id before; its jobs come in on another door. Another run of the chain may
 * have been there: a link says of which success it comes, so that tells it from others.
 */
export function isKnownJob(
  broker: Pick<Broker, "history" | "findWaiting">,
  job: Pick<Envelope, "id" | "queue" | "createdAt" | "sentFrom" | "unkeyed">,
): Promise<boolean> {
  // An earlier version, which may run beside this one, marks what follows by the millisecond alone.
  const marks = [job.unkeyed, Math.floor(job.createdAt)];
  const isIt = (createdAt: number, unkeyed: number | undefined): boolean =>
    createdAt === job.createdAt && (job.unkeyed === undefined || marks.includes(unkeyed));
  return wasEnqueued(broker, job, {
    waiting: (other) => other.sentFrom === job.sentFrom && isIt(other.createdAt, other.unkeyed),
    // The letter of one that could not be enqueued does not say when it was made.
    recorded: ({ generation, door, sentFrom, createdAt = job.createdAt, unkeyed = job.unkeyed }) =>
      (generation > 0 || (door === "runtime" && sentFrom === job.sentFrom)) &&
      isIt(createdAt, unkeyed),
  });
}
