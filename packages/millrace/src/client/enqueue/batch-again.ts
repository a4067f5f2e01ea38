import {
  batchEnd,
  type Broker,
  CLOCK_SLACK_MS,
  dedupeWindowOf,
  type EnqueueResult,
  type Envelope,
  type JobRef,
  MillraceError,
  someAtATime,
} from "@millrace/core";
import { forgottenBefore, onRecordSince, type Meant } from "../jobs/known-id.ts";

export type MemberResult = EnqueueResult & {
  /** It waits, and is a job of this batch. */
  readonly stays?: true;
};

/**
 * Enqueues the members of a batch. Of a batch that is made again after its queues have forgotten
 * the ids of the first time, each job is looked up before: what is there, or was there and has
 * ended, is left alone, as the queues do it by themselves until then.
 *
 * @param batch.madeAt the first time, by the server's clock; undefined the first time
 */
export async function enqueueMembers(
  broker: Broker,
  members: readonly Envelope[],
  { id, madeAt }: { readonly id: string; readonly madeAt: number | undefined },
): Promise<readonly MemberResult[]> {
  const there: ReadonlyMap<Envelope, "waits" | "recorded"> =
    madeAt === undefined ? new Map() : await thereAlready(broker, members, { id, madeAt });
  if (there.size === 0) return broker.enqueue(members);
  const results = (await broker.enqueue(members.filter((member) => !there.has(member)))).values();
  return members.map((member): MemberResult => {
    const how = there.get(member);
    if (how === undefined) return results.next().value as EnqueueResult;
    const { id, queue } = member;
    const known = { ok: true, id, queue, sequence: 0, duplicate: true } as const;
    return how === "waits" ? { ...known, stays: true } : known;
  });
}

/**
 * The members of a batch that was over before it could be made again: each has ended and has a
 * record, or is none of its jobs.
 */
export async function endedMembers(
  broker: Broker,
  callback: Envelope,
  batch: string,
  members: readonly JobRef[],
): Promise<readonly EnqueueResult[]> {
  const over = await howItWasOver(broker, callback);
  return someAtATime(members, (member) => endedMember(broker, { batch, ...over }, member));
}

interface Over {
  /** Its producer's time. */
  readonly madeAt: number;
  /** How many of its jobs were refused; undefined where nothing says so. */
  readonly refused: number | undefined;
}

/** By its callback, which waits, runs or is on record. */
async function howItWasOver(broker: Broker, { id, queue, createdAt }: Envelope): Promise<Over> {
  const records = await broker.history.read({ id, queue });
  const told =
    records.findLast(({ closes }) => closes !== undefined) ??
    (
      await broker.findWaiting(id, {
        queue,
        where: ({ envelope }) => envelope.closes !== undefined,
      })
    )?.envelope;
  return { madeAt: told?.createdAt ?? createdAt, refused: told?.closes?.refused };
}

/** What has ended may be another job of the id, for which this one was refused. */
async function endedMember(
  broker: Broker,
  { batch, madeAt, refused }: Over & { readonly batch: string },
  { id, queue }: JobRef,
): Promise<EnqueueResult> {
  const ends = (await broker.history.read({ id, queue })).filter(
    ({ state }) => batchEnd(state) !== undefined,
  );
  // One that had ended before counts by its end.
  if (ends.some((end) => refused === 0 || end.batch === batch || end.at <= madeAt))
    return { ok: true, id, queue, sequence: 0, duplicate: true };
  return {
    ...{ ok: false, id, queue },
    error: new MillraceError(
      "batch-ended",
      `The batch ${batch} was over without the job ${id}, which had been refused: its callback says so. Enqueue the job by itself, or in a batch of another id.`,
    ),
  };
}

async function thereAlready(
  broker: Broker,
  members: readonly Envelope[],
  { id, madeAt }: { readonly id: string; readonly madeAt: number },
): Promise<ReadonlyMap<Envelope, "waits" | "recorded">> {
  const forgetful = await forgetfulQueues(broker, members, madeAt);
  const unsure = members.filter(({ queue }) => forgetful.has(queue));
  const there = new Map<Envelope, "waits" | "recorded">();
  const look = async (member: Envelope): Promise<void> => {
    const since = madeAt - (forgetful.get(member.queue) ?? 0);
    let how: "waits" | "recorded" = "recorded";
    // An earlier job of the id may wait still, or have ended since. It counts where the queue
    // dropped this one for it, or would have. What has another idempotency key keeps nothing out.
    const hasDropped = (storedAt: number, unkeyed: number | undefined): boolean =>
      storedAt >= since && unkeyed === undefined;
    const meant: Meant = {
      recorded: ({ batch, at, firstStoredAt = at, unkeyed }) =>
        batch === id
          ? firstStoredAt >= madeAt - CLOCK_SLACK_MS
          : hasDropped(firstStoredAt, unkeyed),
      waits: ({ envelope: { batch, firstStoredAt, unkeyed }, storedAt }) => {
        if (batch !== id) return hasDropped(firstStoredAt ?? storedAt, unkeyed);
        how = "waits";
        return true;
      },
    };
    if ((await onRecordSince(broker, member, meant)) !== undefined) there.set(member, how);
  };
  await someAtATime(unsure, look);
  return there;
}

/**
 * Those that may have forgotten what they were given when the batch was made first, each with its
 * dedupe window.
 */
async function forgetfulQueues(
  broker: Broker,
  members: readonly Envelope[],
  since: number,
): Promise<ReadonlyMap<string, number>> {
  const forgetful = new Map<string, number>();
  for (const queue of new Set(members.map((member) => member.queue)))
    try {
      if (since - CLOCK_SLACK_MS < (await forgottenBefore(broker, queue)))
        forgetful.set(queue, await dedupeWindowOf(broker, queue));
    } catch (error) {
      // It refuses its jobs by itself.
      if (!MillraceError.is(error, "queue-not-found")) throw error;
    }
  return forgetful;
}
