import {
  type Broker,
  dedupeWindowOf,
  type MarkStore,
  MillraceError,
  type PreparedJob,
  sendJobs,
} from "@millrace/core";
import { isRefusedForGood } from "../store/outbox-error.ts";
import type { Claim, OutboxStore, SetAside } from "../store/outbox-store.ts";
import {
  type ClaimItem,
  failures,
  failuresForGood,
  isForGood,
  keptOut,
  publishedJobs,
  reasonOf,
  requireGivenBack,
} from "./claim-item.ts";
import { type ClaimMark, type MarkedClaim, publishMarked } from "./publish-marked.ts";
import { enqueuedBefore } from "./enqueued-before.ts";
import { leaveBatches } from "./leave-batches.ts";
import { openBatch, takeBatchBack } from "./open-batch.ts";
import { type BatchInRow, readBatchRow } from "../rows/batch-row.ts";
import { readRow } from "../rows/read-row.ts";

/**
 * Publishes the rows of a claim. Where the server stores several messages as one, a mark is stored
 * with them that says how far the claim is published, and whoever goes on with it goes on there.
 * Otherwise the queue knows the jobs by their ids, and beyond its window each is looked for first.
 *
 * @returns the rows that were set aside, because they can never be published
 * @throws MillraceError `conflict` where another relay was first: look at the mark and the claim
 *   again; any other: the claim stays open, and some of it may be published
 */
export async function publishClaim(
  broker: Broker,
  store: Pick<OutboxStore, "setAside" | "replace">,
  queue: string,
  claim: Claim,
  {
    ageMs,
    givesUp = false,
    onKept = () => {},
    ...mark
  }: ClaimMark & {
    /** Of the claim, now: it may have been read long ago. */
    readonly ageMs: () => number;
    /** Whether rows are set aside whose queue is missing. Default: they wait for it. */
    readonly givesUp?: boolean;
    /** Told of what is not enqueued: ids of jobs that were there before, or of a batch's row. */
    readonly onKept?: (ids: readonly string[]) => void;
  },
): Promise<readonly SetAside[]> {
  const { marks } = broker;
  const aside: SetAside[] = [];
  async function setAside(rows: readonly SetAside[]): Promise<void> {
    if (rows.length === 0) return;
    await store.setAside(queue, claim, rows);
    aside.push(...rows);
  }
  async function unlessGone(seqs: readonly number[], act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!MillraceError.is(error, "queue-not-found") || !givesUp) throw error;
      await setAside(seqs.map((seq) => ({ seq, ...reasonOf(error) })));
    }
  }
  /**
   * A batch whose callback can never be published, or whose jobs the database does not take, is
   * told of, and the next one goes. Taken back first: who dies in between leaves its row.
   */
  async function open(one: Batch): Promise<void> {
    try {
      if (await openBatch(broker, store, queue, claim, one)) onKept([one.batch.id]);
    } catch (error) {
      if (!isForGood(error) && !isRefusedForGood(error)) throw error;
      await takeBatchBack(broker, one.batch);
      await setAside([{ seq: one.seq, ...reasonOf(error) }]);
    }
  }
  const { items, batches, refused } = readable(queue, claim, marks);
  await setAside(refused);
  for (const one of batches) await unlessGone([one.seq], () => open(one));
  const seqs = items.map(({ seq }) => seq);
  await unlessGone(seqs, () =>
    marks === undefined
      ? publishById(broker, queue, items, { ageMs, setAside, onKept })
      : publishWithMark({
          ...{ broker, marks, setAside, onKept },
          queue,
          claim,
          items,
          mark,
          ageMs,
        }),
  );
  return aside;
}

/**
 * A queue without any mark may have an old claim all the same: published before its server was
 * upgraded to one that stores several messages as one.
 */
async function publishWithMark(marked: MarkedClaim): Promise<void> {
  const { broker, queue, items, mark, ageMs } = marked;
  if (mark.seen !== undefined || items.length === 0) return publishMarked(marked);
  const going = new Set(await notStoredBefore(broker, queue, items, ageMs));
  const known = items.filter((item) => !going.has(item));
  await leaveBatches(broker, publishedJobs(known, []), marked);
  await publishMarked({ ...marked, items: [...going] });
}

/** Where the queue alone tells what is published, by the jobs' ids. */
async function publishById(
  broker: Broker,
  queue: string,
  items: readonly ClaimItem[],
  {
    ageMs,
    setAside,
    onKept,
  }: {
    readonly ageMs: () => number;
    readonly onKept: (ids: readonly string[]) => void;
    readonly setAside: (rows: readonly SetAside[]) => Promise<void>;
  },
): Promise<void> {
  const going = await notStoredBefore(broker, queue, items, ageMs);
  const standing = new Set<PreparedJob>();
  const results = await sendJobs(
    broker,
    going.map(({ job }) => job),
    { monotonic: ageMs },
    (job) => standing.add(job),
  );
  const refused = failuresForGood(going, failures(results));
  requireGivenBack(standing);
  await setAside(refused);
  onKept(keptOut(results));
  const published = new Map(going.map((item, place) => [item, results[place]]));
  const outcomes = items.map((item) => published.get(item));
  await leaveBatches(broker, publishedJobs(items, outcomes), { queue, ageMs });
}

interface Batch {
  readonly seq: number;
  readonly batch: BatchInRow;
}

interface ReadClaim {
  readonly items: readonly ClaimItem[];
  readonly batches: readonly Batch[];
  readonly refused: readonly SetAside[];
}

function readable(queue: string, claim: Claim, marks: MarkStore | undefined): ReadClaim {
  const items: ClaimItem[] = [];
  const batches: Batch[] = [];
  const refused: SetAside[] = [];
  for (const row of claim.rows) {
    if (row.kind === "batch") {
      const read = readBatchRow(queue, row);
      if (read.ok) batches.push(read);
      else refused.push({ seq: read.seq, reason: read.reason, detail: read.detail });
      continue;
    }
    const read = readRow(queue, row);
    const refusal = read.ok ? marks?.refusal(read.job.envelope) : undefined;
    if (!read.ok) refused.push({ seq: read.seq, reason: read.reason, detail: read.detail });
    else if (refusal === undefined) items.push(read);
    else refused.push({ seq: read.seq, reason: refusal.code, detail: refusal.message });
  }
  return { items, batches, refused };
}

/**
 * The jobs that an earlier try may not have brought to the queue: all of them, if the queue knows
 * ids.
 */
async function notStoredBefore(
  broker: Broker,
  queue: string,
  items: readonly ClaimItem[],
  ageMs: () => number,
): Promise<readonly ClaimItem[]> {
  const windowMs = await dedupeWindowOf(broker, queue);
  // The queue may have forgotten the ids of an earlier try. Half its window: a try takes a while.
  const isOld = ageMs() > windowMs / 2;
  return isOld ? notStored(broker, queue, items, windowMs + ageMs()) : items;
}

/**
 * The jobs that no earlier try brought to the queue. The queue may have dropped one for another job
 * of its id.
 *
 * @param rememberedMs for how long before now the queue knew an id at the first try
 */
async function notStored(
  broker: Broker,
  queue: string,
  items: readonly ClaimItem[],
  rememberedMs: number,
): Promise<readonly ClaimItem[]> {
  const droppedSince = (await broker.serverNow()) - rememberedMs;
  const traits = { waiting: () => true, recorded: () => true, droppedSince };
  const before = await enqueuedBefore(broker, queue, items, traits);
  return items.filter((item) => !before.has(item));
}
