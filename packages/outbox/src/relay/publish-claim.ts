import {
  type Broker,
  type EnqueueItemResult,
  type ErrorCode,
  type Mark,
  type MarkStore,
  MillraceError,
  type PreparedJob,
  sendJobs,
  wasEnqueued,
} from "@millrace/core";
import type { Claim, OutboxStore, SetAside } from "../store/outbox-store.ts";
import { markOf, publishedUpTo } from "./claim-mark.ts";
import { readRow } from "./read-row.ts";

/** Errors that no later try can mend: they are the job's own. */
const FOR_GOOD: ReadonlySet<ErrorCode> = new Set([
  "payload-too-large",
  "unserializable-payload",
  "invalid-header",
  "invalid-name",
  "invalid-message",
  "invalid-option",
]);
const DEFAULT_WINDOW_MS = 120_000;

/** The mark under which a claim is published. */
export interface ClaimMark {
  readonly name: string;
  /** As it was read before the claim was. */
  readonly seen: Mark | undefined;
}

/** A row that can be published. */
interface Item {
  readonly seq: number;
  readonly job: PreparedJob;
}

/**
 * Publishes the rows of a claim. Where the server stores several messages as one, a mark is stored
 * with them that says how far the claim is published, and whoever goes on with it goes on there.
 * Otherwise the queue knows the jobs by their ids, and beyond its window each is looked for first.
 *
 * @returns how many rows were set aside, because they can never be published
 * @throws MillraceError `conflict` where another relay was first: look at the mark and the claim
 *   again; any other: the claim stays open, and some of it may be published
 */
export async function publishClaim(
  broker: Broker,
  store: Pick<OutboxStore, "setAside">,
  queue: string,
  claim: Claim,
  mark: ClaimMark,
): Promise<readonly SetAside[]> {
  const { marks } = broker;
  const { items, refused } = readable(queue, claim, marks);
  if (refused.length > 0) await store.setAside(queue, claim, refused);
  const late: SetAside[] = [];
  if (marks === undefined) {
    const old = await isOld(broker, queue, claim);
    const going = old ? await notStored(broker, items) : items;
    late.push(...(await send(broker, going, undefined)));
  } else {
    late.push(...(await publishMarked(broker, marks, { queue, claim, items, mark })));
  }
  if (late.length > 0) await store.setAside(queue, claim, late);
  return [...refused, ...late];
}

function readable(
  queue: string,
  claim: Claim,
  marks: MarkStore | undefined,
): { readonly items: readonly Item[]; readonly refused: readonly SetAside[] } {
  const items: Item[] = [];
  const refused: SetAside[] = [];
  for (const row of claim.rows) {
    const read = readRow(queue, row);
    const refusal = read.ok ? marks?.refusal(read.job.envelope) : undefined;
    if (!read.ok) refused.push({ seq: read.seq, reason: read.reason, detail: read.detail });
    else if (refusal === undefined) items.push(read);
    else refused.push({ seq: read.seq, reason: refusal.code, detail: refusal.message });
  }
  return { items, refused };
}

interface MarkedClaim {
  readonly queue: string;
  readonly claim: Claim;
  readonly items: readonly Item[];
  readonly mark: ClaimMark;
}

/**
 * All at once where there is room; a queue that is nearly full, or smaller than the claim, gets as
 * many as it takes.
 */
async function publishMarked(
  broker: Broker,
  marks: MarkStore,
  { queue, claim, items, mark: { name, seen: before } }: MarkedClaim,
): Promise<readonly SetAside[]> {
  const late: SetAside[] = [];
  let seen = before;
  const done = publishedUpTo(claim, seen);
  let left = items.filter(({ seq }) => seq > done);
  for (let size = left.length; left.length > 0;) {
    const part = left.slice(0, size);
    const value = markOf(claim, part.at(-1)?.seq ?? 0);
    const after = seen?.revision ?? 0;
    try {
      late.push(
        ...(await send(broker, part, (envelopes) =>
          marks.enqueue(envelopes, { queue, name, value, after }),
        )),
      );
    } catch (error) {
      if (!MillraceError.is(error, "queue-full") || part.length === 1) throw error;
      size = Math.ceil(part.length / 2);
      continue;
    }
    left = left.slice(size);
    if (left.length > 0) seen = await marks.read(queue, name);
  }
  return late;
}

/** @returns those that can never be published */
async function send(
  broker: Broker,
  items: readonly Item[],
  publish: Broker["enqueue"] | undefined,
): Promise<readonly SetAside[]> {
  const late: SetAside[] = [];
  const results = await sendJobs(
    broker,
    items.map(({ job }) => job),
    publish,
  );
  for (const [place, result] of results.entries()) {
    const error = failureOf(result);
    if (error === undefined) continue;
    if (!FOR_GOOD.has(error.code)) throw error;
    late.push({ seq: items[place]?.seq ?? 0, reason: error.code, detail: error.message });
  }
  return late;
}

/**
 * Whether the queue may have forgotten the ids of an earlier try. Half its window, because a try
 * takes a while.
 */
async function isOld(broker: Broker, queue: string, { ageMs }: Claim): Promise<boolean> {
  const { dedupeWindowMs = DEFAULT_WINDOW_MS } = await broker.queues.settings(queue);
  return ageMs > dedupeWindowMs / 2;
}

async function notStored(broker: Broker, items: readonly Item[]): Promise<readonly Item[]> {
  const left: Item[] = [];
  for (const item of items) if (!(await wasEnqueued(broker, item.job.envelope))) left.push(item);
  return left;
}

function failureOf(result: EnqueueItemResult): MillraceError | undefined {
  return result.ok ? undefined : result.error;
}
