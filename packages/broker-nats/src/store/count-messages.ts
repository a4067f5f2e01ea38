import { readBatch } from "../lookup/direct-batch.ts";
import type { StreamEnds } from "../lookup/scan.ts";
import type { ServerAccess } from "./server-access.ts";

interface SubjectsPage {
  readonly total?: number;
  readonly state?: { readonly subjects?: Readonly<Record<string, number>> };
}

const TIMEOUT_MS = 5_000;

/** How many messages are on subjects that fit. Without naming them all where the server can count them, else page by page. */
export async function countMessages(
  server: ServerAccess,
  { stream, batches, last }: StreamEnds,
  subject: string,
): Promise<number> {
  if (batches) {
    const answer = await readBatch(server.nc, { stream, from: 1, subject, batch: 1 });
    if (answer !== undefined) return answer.messages.length + answer.pending;
  }
  let count = 0;
  for (let offset = 0; last > 0;) {
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
  { patient }: ServerAccess,
  stream: string,
  subject: string,
  offset: number,
): Promise<SubjectsPage> {
  const reply = await patient.request(
    `$JS.API.STREAM.INFO.${stream}`,
    JSON.stringify({ offset, subjects_filter: subject }),
    { timeout: TIMEOUT_MS },
  );
  return reply.json<SubjectsPage>();
}
