import type { DocumentPageQuery } from "@millrace/core";
import { request } from "../jetstream-errors.ts";
import { readStream, type StreamMessage } from "../reads/read-stream.ts";
import { endsOf } from "../reads/scan.ts";
import type { ServerAccess } from "../store/server-access.ts";

export interface PageRange extends Omit<DocumentPageQuery, "under"> {
  readonly stream: string;
  readonly filter: string;
}

export interface StreamPage {
  /** In the order that was asked for, marks of removals too. */
  readonly messages: readonly StreamMessage[];
  /** Where the next page goes on. Left out at the end. */
  readonly next?: number;
}

/** So many are asked of the leader one by one: enough for what a replica has not seen yet. */
const LEADER_READS = 20;
/** Sequences of a first stretch, for each message that is wanted: most keys are written again. */
const LOOK_BACK = 4;
/** Messages that one stretch may have before it is taken for too long. */
const MOST_READ = 2_000;

/** A page of a stream that holds one message a subject. */
export function readPage(server: ServerAccess, range: PageRange): Promise<StreamPage> {
  return range.order === "oldest first" ? readUp(server, range) : readDown(server, range);
}

async function readUp(
  { nc, jsm }: ServerAccess,
  { stream, filter, after = 0, limit }: PageRange,
): Promise<StreamPage> {
  const messages: StreamMessage[] = [];
  const range = { stream, filter, from: after + 1, limit, leaderReads: LEADER_READS };
  for await (const message of readStream(nc, jsm, range)) messages.push(message);
  const next = messages.length < limit ? undefined : messages.at(-1)?.sequence;
  return { messages, ...(next === undefined ? {} : { next }) };
}

/**
 * A stream is read upwards only. So it is read in stretches from its end down, which are twice as
 * long each time that one has too little, and shorter where one has too much.
 */
async function readDown(
  server: ServerAccess,
  { stream, filter, after, limit }: PageRange,
): Promise<StreamPage> {
  const ends = await request(`read the stream ${stream}`, () => endsOf(server, stream));
  // A stream that is not there holds nothing.
  if (ends === undefined) return { messages: [] };
  const first = Math.max(1, ends.first);
  const messages: StreamMessage[] = [];
  let until = after === undefined ? ends.last : Math.min(after - 1, ends.last);
  let length = limit * LOOK_BACK;
  while (until >= first && messages.length < limit) {
    const from = Math.max(first, until - length + 1);
    const most = Math.max(MOST_READ, limit * LOOK_BACK);
    const found = await readBetween(server, { stream, filter, from, until, most });
    if (found === "too many") {
      length = Math.ceil(length / 8);
      continue;
    }
    messages.push(...found.toReversed());
    until = from - 1;
    if (found.length < limit) length *= 2;
  }
  const page = messages.slice(0, limit);
  const last = page.at(-1)?.sequence ?? 0;
  const isMore = messages.length > limit || until >= first;
  return { messages: page, ...(isMore && last > 0 ? { next: last } : {}) };
}

interface Between {
  readonly stream: string;
  readonly filter: string;
  readonly from: number;
  readonly until: number;
  readonly most: number;
}

/** @param most at least as many as the stretch has when it is shortest */
async function readBetween(
  { nc, jsm }: ServerAccess,
  { stream, filter, from, until, most }: Between,
): Promise<readonly StreamMessage[] | "too many"> {
  const found: StreamMessage[] = [];
  const range = { stream, filter, from, limit: most + 1, leaderReads: LEADER_READS };
  for await (const message of readStream(nc, jsm, range)) {
    if (message.sequence > until) break;
    if (found.length === most) return "too many";
    found.push(message);
  }
  return found;
}
