import type { DocumentPageQuery } from "@millrace/core";
import type { JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { apiCode, request, STREAM_NOT_FOUND } from "../jetstream-errors.ts";
import { readStream, type StreamMessage } from "../reads/read-stream.ts";

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
export function readPage(
  nc: NatsConnection,
  jsm: JetStreamManager,
  range: PageRange,
): Promise<StreamPage> {
  return range.order === "oldest first" ? readUp(nc, jsm, range) : readDown(nc, jsm, range);
}

async function readUp(
  nc: NatsConnection,
  jsm: JetStreamManager,
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
  nc: NatsConnection,
  jsm: JetStreamManager,
  { stream, filter, after, limit }: PageRange,
): Promise<StreamPage> {
  const ends = await bounds(jsm, stream);
  const messages: StreamMessage[] = [];
  let until = after === undefined ? ends.last : Math.min(after - 1, ends.last);
  let length = limit * LOOK_BACK;
  while (until >= ends.first && messages.length < limit) {
    const from = Math.max(ends.first, until - length + 1);
    const most = Math.max(MOST_READ, limit * LOOK_BACK);
    const found = await readBetween(nc, jsm, { stream, filter, from, until, most });
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
  const isMore = messages.length > limit || until >= ends.first;
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
  nc: NatsConnection,
  jsm: JetStreamManager,
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

/** A stream that is not there holds nothing. */
function bounds(
  jsm: JetStreamManager,
  stream: string,
): Promise<{ readonly first: number; readonly last: number }> {
  return request(`read the stream ${stream}`, async () => {
    try {
      const { state } = await jsm.streams.info(stream);
      return { first: Math.max(1, state.first_seq), last: state.last_seq };
    } catch (error) {
      if (apiCode(error) === STREAM_NOT_FOUND) return { first: 1, last: 0 };
      throw error;
    }
  });
}
