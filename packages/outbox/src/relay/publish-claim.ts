import { type Broker, type MarkStore, sendJobs, wasEnqueued } from "@millrace/core";
import type { Claim, OutboxStore, SetAside } from "../store/outbox-store.ts";
import { type ClaimItem, failures, failuresForGood } from "./claim-item.ts";
import { type ClaimMark, publishMarked } from "./publish-marked.ts";
import { readRow } from "./read-row.ts";

const DEFAULT_WINDOW_MS = 120_000;

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
  store: Pick<OutboxStore, "setAside">,
  queue: string,
  claim: Claim,
  mark: ClaimMark,
): Promise<readonly SetAside[]> {
  const { marks } = broker;
  const aside: SetAside[] = [];
  async function setAside(rows: readonly SetAside[]): Promise<void> {
    if (rows.length === 0) return;
    await store.setAside(queue, claim, rows);
    aside.push(...rows);
  }
  const { items, refused } = readable(queue, claim, marks);
  await setAside(refused);
  if (marks !== undefined) {
    await publishMarked({ broker, marks, setAside, queue, claim, items, mark });
    return aside;
  }
  const old = await isOld(broker, queue, claim);
  const going = old ? await notStored(broker, items) : items;
  const results = await sendJobs(
    broker,
    going.map(({ job }) => job),
  );
  await setAside(failuresForGood(going, failures(results)));
  return aside;
}

function readable(
  queue: string,
  claim: Claim,
  marks: MarkStore | undefined,
): { readonly items: readonly ClaimItem[]; readonly refused: readonly SetAside[] } {
  const items: ClaimItem[] = [];
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

/**
 * Whether the queue may have forgotten the ids of an earlier try. Half its window, because a try
 * takes a while.
 */
async function isOld(broker: Broker, queue: string, { ageMs }: Claim): Promise<boolean> {
  const { dedupeWindowMs = DEFAULT_WINDOW_MS } = await broker.queues.settings(queue);
  return ageMs > dedupeWindowMs / 2;
}

async function notStored(
  broker: Broker,
  items: readonly ClaimItem[],
): Promise<readonly ClaimItem[]> {
  const left: ClaimItem[] = [];
  for (const item of items) if (!(await wasEnqueued(broker, item.job.envelope))) left.push(item);
  return left;
}
