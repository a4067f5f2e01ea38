import { type ApiError, JetStreamApiError } from "@nats-io/jetstream";
import { readBatch } from "./direct-batch.ts";
import type { StreamEnds } from "./scan.ts";
import type { ServerAccess } from "../store/server-access.ts";

interface SubjectsPage {
  readonly error?: ApiError;
  readonly total?: number;
  readonly state?: { readonly subjects?: Readonly<Record<string, number>> };
}

const TIMEOUT_MS = 5_000;
/** So many can be named by the leader in one answer of some 50 KB. */
const FEW = 1_000;

/**
 * How many messages are on subjects that fit. Without naming them all where the server can count
 * them, else page by page. A member of a cluster that counts may be a moment behind; what it says
 * is of use for many, and for few the leader is asked, whose word is exact: nobody must take a
 * queue for empty that is not.
 */
export async function countMessages(
  server: ServerAccess,
  { stream, batches, messages, replicas }: StreamEnds,
  subject: string,
): Promise<number> {
  if (messages === 0) return 0;
  if (batches) {
    const answer = await readBatch(server.nc, { stream, from: 1, subject, batch: 1 });
    const counted = answer && answer.messages.length + answer.pending;
    if (counted !== undefined && (replicas <= 1 || counted > FEW)) return counted;
  }
  let count = 0;
  for (let offset = 0; ;) {
    const page = await subjectsFrom(server, stream, subject, offset);
    const counts = Object.values(page.state?.subjects ?? {});
    for (const each of counts) count += each;
    offset += counts.length;
    if (counts.length === 0 || offset >= (page.total ?? 0)) break;
  }
  return count;
}

/** The client's own call keeps the subjects of all pages in memory. */
async function subjectsFrom(
  { retrying }: ServerAccess,
  stream: string,
  subject: string,
  offset: number,
): Promise<SubjectsPage> {
  const reply = await retrying.request(
    `$JS.API.STREAM.INFO.${stream}`,
    JSON.stringify({ offset, subjects_filter: subject }),
    { timeout: TIMEOUT_MS },
  );
  const page = reply.json<SubjectsPage>();
  // A stream that can't be asked is not known to be empty.
  if (page.error !== undefined) throw new JetStreamApiError(page.error);
  return page;
}
