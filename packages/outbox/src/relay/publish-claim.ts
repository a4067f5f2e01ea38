import {
  type Broker,
  type EnqueueItemResult,
  type ErrorCode,
  type Mark,
  type MillraceError,
  type PreparedJob,
  sendJobs,
} from "@millrace/core";
import type { Claim, SetAside } from "../store/outbox-store.ts";
import { isStored } from "./is-stored.ts";
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

/** The mark under which a claim is published. */
export interface ClaimMark {
  readonly name: string;
  /** As it was read before the claim was. */
  readonly seen: Mark | undefined;
}

/**
 * Publishes the rows of a claim. Where the server stores several messages as one, the claim's name
 * is stored with them, and a claim that was published before is known by it. Otherwise the queue
 * knows the jobs by their ids, and beyond its window each is looked for first.
 *
 * @returns the rows that can never be published
 * @throws MillraceError `conflict` where another relay was first: look at the mark and the claim
 *   again; any other: nothing is known to be published, and the claim stays open
 */
export async function publishClaim(
  broker: Broker,
  queue: string,
  claim: Claim,
  { name, seen }: ClaimMark,
): Promise<readonly SetAside[]> {
  const { marks } = broker;
  if (marks !== undefined && seen?.value === claim.id) return [];
  const read = claim.rows.map((row) => readRow(queue, row));
  const readable = read.filter((row) => row.ok);
  const setAside: SetAside[] = read
    .filter((row) => !row.ok)
    .map(({ seq, reason, detail }) => ({ seq, reason, detail }));
  const going =
    marks === undefined && (await isOld(broker, queue, claim))
      ? await notStored(broker, readable)
      : readable;
  const jobs = going.map(({ job }) => job);
  const results = await sendJobs(
    broker,
    jobs,
    marks === undefined
      ? undefined
      : (envelopes) =>
          marks.enqueue(envelopes, { queue, name, value: claim.id, after: seen?.revision ?? 0 }),
  );
  for (const [place, result] of results.entries()) {
    const error = failureOf(result);
    if (error === undefined) continue;
    if (!FOR_GOOD.has(error.code)) throw error;
    const seq = going[place]?.seq ?? 0;
    setAside.push({ seq, reason: error.code, detail: error.message });
  }
  return setAside;
}

/**
 * Whether the queue may have forgotten the ids of an earlier try. Half its window, because a try
 * takes a while.
 */
async function isOld(broker: Broker, queue: string, { ageMs }: Claim): Promise<boolean> {
  const { dedupeWindowMs = DEFAULT_WINDOW_MS } = await broker.queues.settings(queue);
  return ageMs > dedupeWindowMs / 2;
}

const DEFAULT_WINDOW_MS = 120_000;

async function notStored<Row extends { readonly job: PreparedJob }>(
  broker: Broker,
  rows: readonly Row[],
): Promise<readonly Row[]> {
  const left: Row[] = [];
  for (const row of rows) if (!(await isStored(broker, row.job.envelope))) left.push(row);
  return left;
}

function failureOf(result: EnqueueItemResult): MillraceError | undefined {
  return result.ok ? undefined : result.error;
}
