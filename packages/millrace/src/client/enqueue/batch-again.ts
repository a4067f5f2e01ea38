import {
  type Broker,
  CLOCK_SLACK_MS,
  type EnqueueResult,
  type Envelope,
  type JobRef,
  MillraceError,
} from "@millrace/core";
import { forgottenBefore, isIdKnown, type Meant } from "../jobs/known-id.ts";

/** Jobs that are looked up at the same time. */
const AT_A_TIME = 32;

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
): Promise<readonly EnqueueResult[]> {
  const there =
    madeAt === undefined ? new Set() : await thereAlready(broker, members, { id, madeAt });
  if (there.size === 0) return broker.enqueue(members);
  const results = (await broker.enqueue(members.filter((member) => !there.has(member)))).values();
  return members.map((member): EnqueueResult => {
    if (!there.has(member)) return results.next().value as EnqueueResult;
    const { id, queue } = member;
    return { ok: true, id, queue, sequence: 0, duplicate: true };
  });
}

/**
 * The members of a batch that was over before it could be made again: each has ended and has a
 * record, or is none of its jobs.
 */
export async function endedMembers(
  broker: Broker,
  batch: string,
  members: readonly JobRef[],
): Promise<readonly EnqueueResult[]> {
  const results: EnqueueResult[] = [];
  for (let from = 0; from < members.length; from += AT_A_TIME)
    results.push(
      ...(await Promise.all(
        members.slice(from, from + AT_A_TIME).map((member) => endedMember(broker, batch, member)),
      )),
    );
  return results;
}

async function endedMember(
  broker: Broker,
  batch: string,
  { id, queue }: JobRef,
): Promise<EnqueueResult> {
  if ((await broker.history.last({ id, queue }, "ended")) !== undefined)
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
): Promise<ReadonlySet<Envelope>> {
  const forgetful = await forgetfulQueues(broker, members, madeAt);
  const unsure = members.filter(({ queue }) => forgetful.has(queue));
  const meant: Meant = {
    // An earlier job of the id may have ended since. By the server's clock it was enqueued before.
    recorded: ({ firstStoredAt, at }) => (firstStoredAt ?? at) >= madeAt - CLOCK_SLACK_MS,
    waits: ({ envelope }) => envelope.batch === id,
  };
  const there = new Set<Envelope>();
  for (let from = 0; from < unsure.length; from += AT_A_TIME)
    await Promise.all(
      unsure.slice(from, from + AT_A_TIME).map(async (member) => {
        if (await isIdKnown(broker, member, meant)) there.add(member);
      }),
    );
  return there;
}

/** Those that may have forgotten what they were given when the batch was made first. */
async function forgetfulQueues(
  broker: Broker,
  members: readonly Envelope[],
  since: number,
): Promise<ReadonlySet<string>> {
  const forgetful = new Set<string>();
  for (const queue of new Set(members.map((member) => member.queue)))
    try {
      if (since - CLOCK_SLACK_MS < (await forgottenBefore(broker, queue))) forgetful.add(queue);
    } catch (error) {
      // It refuses its jobs by itself.
      if (!MillraceError.is(error, "queue-not-found")) throw error;
    }
  return forgetful;
}
