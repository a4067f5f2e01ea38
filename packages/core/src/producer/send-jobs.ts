import type { Broker } from "../broker/broker.ts";
import { inPlaces } from "../broker/keyed-jobs.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { claimKeys, type Stopwatch } from "./claim-keys.ts";
import type { EnqueueItemResult } from "./enqueue-many.ts";
import { isNotStored, OF_THE_QUEUE } from "./not-stored.ts";
import type { PreparedJob } from "./prepare-job.ts";

/**
 * Publishes prepared jobs, each after its unique key was claimed, and gives each its own result in
 * the order given. Jobs with the same key count in their order, as if they were sent one after the
 * other.
 *
 * A claim takes one write, the publish another; nothing follows. A producer that dies in between
 * leaves a claim that nobody respects for longer than its lease.
 *
 * @param onStanding told of a job that was refused, and whose claim stands: `ClaimedJobs.standing`
 */
export async function sendJobs(
  broker: Broker,
  jobs: readonly PreparedJob[],
  clock: Stopwatch,
  onStanding: (job: PreparedJob) => void = () => {},
): Promise<readonly EnqueueItemResult[]> {
  const keys = new Set(
    jobs.flatMap(({ envelope, keyed }) => (keyed === true ? [envelope.id] : [])),
  );
  if (jobs.every(({ unique }) => unique === undefined))
    return broker.enqueue(
      jobs.map(({ envelope }) => envelope),
      { keys },
    );
  const looked = await Promise.all(jobs.map((job) => lookUp(broker, job)));
  const left = jobs.filter((_, place) => looked[place] === undefined);
  return inPlaces(looked, await claimAndSend({ broker, clock, keys, onStanding }, left));
}

interface Sending {
  readonly broker: Broker;
  readonly clock: Stopwatch;
  readonly keys: ReadonlySet<string>;
  readonly onStanding: (job: PreparedJob) => void;
}

/**
 * A job that was claimed for first and then could not be stored has kept out those of its key that
 * were sent with it. They claim again, as if they had been sent after it had failed.
 *
 * @param failed holders that could not be stored, of those that were sent before
 */
async function claimAndSend(
  sending: Sending,
  jobs: readonly PreparedJob[],
  failed: ReadonlySet<string> = new Set(),
): Promise<readonly EnqueueItemResult[]> {
  const { broker, clock, keys, onStanding } = sending;
  const claimed = await claimKeys(broker, jobs, clock);
  const { going } = claimed;
  const published = going.length === 0 ? [] : await broker.enqueue(going, { keys });
  const results = await claimed.results(published);
  for (const job of claimed.standing) onStanding(job);
  const failing = new Map(
    results.flatMap((result, place) =>
      result.ok || !isNotStored(result.error)
        ? []
        : [[holderOf(jobs[place], result.id), result.error] as const],
    ),
  );
  const known = results.map((result, place): EnqueueItemResult | undefined => {
    if (!result.ok || result.conflict?.kind !== "kept") return result;
    const holder = holderOf(jobs[place], result.id);
    const error = failing.get(holder);
    // What the queue refuses it refuses of each, and each would be tried by itself.
    if (error !== undefined && OF_THE_QUEUE.has(error.code))
      return { ok: false, id: jobs[place]?.envelope.id, queue: result.queue, error };
    if (error !== undefined) return undefined;
    return failed.has(holder) ? keptByNobody(jobs[place], result) : result;
  });
  const again = jobs.filter((_, place) => known[place] === undefined);
  if (again.length === 0) return inPlaces(known, []);
  return inPlaces(
    known,
    await claimAndSend(sending, again, new Set([...failed, ...failing.keys()])),
  );
}

/** One of a key, by its id. */
function holderOf(job: PreparedJob | undefined, id: string | undefined): string {
  return JSON.stringify([job?.envelope.queue, job?.unique?.key, id]);
}

/** Its key could not be given back, and is free once the claim's lease is over. */
function keptByNobody(
  job: PreparedJob | undefined,
  { id, queue }: { readonly id: string; readonly queue: string },
): EnqueueItemResult {
  const key = JSON.stringify(job?.unique?.key);
  const error = new MillraceError(
    "revision-conflict",
    `The unique key ${key} of queue ${queue} is claimed for ${id}, which could not be enqueued. Try again.`,
  );
  return { ok: false, id: job?.envelope.id, queue, error };
}

/**
 * What is known of a job before its unique key is claimed: a claim for one that is on record would
 * keep others out until it is given back, and nobody would run. The publish asks once more, for a
 * claim may take longer than its queue remembers ids.
 */
async function lookUp(
  broker: Broker,
  { envelope: { id, queue }, unique, keyed }: PreparedJob,
): Promise<EnqueueItemResult | undefined> {
  if (unique === undefined || keyed !== true) return undefined;
  try {
    const onRecordSince = await broker.onRecordSince({ id, queue });
    return onRecordSince === undefined
      ? undefined
      : { ok: true, id, queue, duplicate: true, onRecordSince };
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    return { ok: false, id, queue, error };
  }
}
