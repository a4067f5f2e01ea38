import type { StreamInfo } from "@nats-io/jetstream";
import { serverFeatures } from "../connection/server-features.ts";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode } from "../jetstream-errors.ts";
import { nextMessage } from "./next-message.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { readBatch } from "./direct-batch.ts";
import { fromLeader, type StoredMessage } from "./stored-message.ts";

/**
 * A stream as its leader described it a moment ago. Everything confirmed before is within its ends.
 */
export interface StreamEnds {
  readonly stream: string;
  readonly first: number;
  /** When the first was stored, epoch milliseconds of the server's clock. */
  readonly firstAt: number;
  readonly last: number;
  readonly messages: number;
  /** More than one: a read that the leader does not answer may be a moment behind. */
  readonly replicas: number;
  /** Whether many messages can be asked for at once. */
  readonly batches: boolean;
}

export interface ScanRange {
  readonly ends: StreamEnds;
  readonly from: number;
  readonly until: number;
  /** Only messages on subjects that fit; default all. */
  readonly subject?: string;
  /**
   * How many the caller wants, default all; it stops by itself, and may go on where some did not
   * count. A list asks the leader for its first messages, so that a short one is never behind.
   */
  readonly wanted?: number;
}

/** What a list asks of the leader of a replicated stream one by one (docs/decisions/cluster.md). */
const LEADER_READS = 200;
/** Held in memory at a time, unless their bytes end the batch before. */
const BATCH = 1_000;

/** @returns undefined where there is no such stream */
export async function endsOf(
  { nc, jsm }: ServerAccess,
  stream: string,
): Promise<StreamEnds | undefined> {
  let info: StreamInfo;
  try {
    info = await jsm.streams.info(stream);
  } catch (error) {
    if (apiCode(error) === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
  const { state, config } = info;
  return {
    stream,
    first: state.first_seq,
    firstAt: Date.parse(state.first_ts),
    last: state.last_seq,
    messages: state.messages,
    replicas: config.num_replicas,
    batches: config.allow_direct && serverFeatures(nc.info?.version ?? "").batchedGets,
  };
}

/**
 * Reads part of a stream from front to back, a batch at a time where the server can, else message
 * by message. Misses nothing that was confirmed before `ends` were taken: where a batch comes back
 * empty, its member may be behind, and the leader has the last word.
 */
export async function* scan(
  { nc, jsm }: ServerAccess,
  { ends, from, until, subject, wanted = Number.POSITIVE_INFINITY }: ScanRange,
): AsyncGenerator<readonly StoredMessage[]> {
  const { stream } = ends;
  const fromLeaderFirst = ends.replicas > 1 && wanted < Number.POSITIVE_INFINITY ? LEADER_READS : 0;
  let batches = ends.batches;
  let read = 0;
  for (let at = from; at <= until;) {
    if (batches && read >= fromLeaderFirst) {
      const answer = await readBatch(nc, {
        stream,
        from: at,
        batch: Math.min(BATCH, until - at + 1, wanted > read ? wanted - read : BATCH),
        ...(subject === undefined ? {} : { subject }),
      });
      // Not served now: not served for the rest of this scan.
      batches = answer !== undefined;
      const all = answer?.messages ?? [];
      const last = all.at(-1);
      const messages =
        last === undefined || last.sequence <= until
          ? all
          : all.filter(({ sequence }) => sequence <= until);
      read += messages.length;
      if (messages.length > 0) yield messages;
      if (last !== undefined) {
        at = last.sequence + 1;
        continue;
      }
    }
    const stored = await nextMessage(jsm, stream, at, subject);
    if (stored === undefined || stored.seq > until) return;
    read += 1;
    yield [fromLeader(stored)];
    at = stored.seq + 1;
  }
}

/**
 * Whether the leader still has the message. A replica that is behind may still show one that was
 * settled.
 */
export async function isThere(
  { jsm }: ServerAccess,
  { stream, replicas }: StreamEnds,
  { sequence, subject }: StoredMessage,
): Promise<boolean> {
  if (replicas <= 1) return true;
  return (await nextMessage(jsm, stream, sequence, subject))?.seq === sequence;
}
