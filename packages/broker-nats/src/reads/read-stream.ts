import { AckPolicy, DeliverPolicy, type JetStreamManager, ReplayPolicy } from "@nats-io/jetstream";
import { type Msg, nanos, type NatsConnection } from "@nats-io/nats-core";
import { hearOn } from "../connection/hear-on.ts";
import { machineOf } from "../machine/machine.ts";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, request } from "../jetstream-errors.ts";
import { parseAckSubject } from "../pull/ack-subject.ts";
import { pullBytes } from "../pull/pull-size.ts";
import { pullNews } from "../pull/pull-status.ts";
import { plainBytes } from "../wire/plain-bytes.ts";
import { headersOf, lastMessage, nextMessage, WHOLE_STREAM } from "./next-message.ts";
import { newInbox } from "../wire/inbox.ts";
import { type ReceivedHeaders, readHeaders, readStatus } from "../wire/read-headers.ts";

export interface StreamMessage {
  readonly subject: string;
  readonly sequence: number;
  /** The server's clock, epoch milliseconds. */
  readonly storedAt: number;
  readonly data: Uint8Array;
  readonly headers: ReceivedHeaders;
}

export interface StreamRange {
  readonly stream: string;
  /** Only messages on subjects that fit. Default: all, which costs the server least. */
  readonly filter?: string;
  /** The first sequence to look at. Default 1. */
  readonly from?: number;
  /** The last one. Default: the last there is at the moment. */
  readonly until?: number;
  /** Most messages. Default: all there are at the moment. */
  readonly limit?: number;
  /** Nothing more is asked for once so many bytes have come. Default: all there are. */
  readonly bytes?: number;
  /** So many are asked of the leader one by one before batches are read. Default 200. */
  readonly leaderReads?: number;
}

interface BatchRange extends Required<Omit<StreamRange, "leaderReads" | "bytes" | "until">> {
  /** How many more messages and bytes fit, asked before each batch. */
  readonly room: () => { readonly messages: number; readonly bytes: number };
}

/** A reader that stalls is forgotten by the server after this. */
const IDLE_MS = 30_000;
const BATCH = 500;
/** Between two messages of a batch. Its server is gone then. */
const SILENCE_MS = 5_000;

/** So many messages are asked of the leader one by one; what is longer is read in batches. */
const LEADER_READS = 200;
/** So many after batches that ended early: enough for what a replica has not seen yet. */
const LEADER_READS_MORE = 20;

/**
 * Reads what a Limits stream holds now, oldest first. A stream that does not exist holds nothing.
 *
 * The first messages come from the stream's leader, which knows all that was confirmed. The rest is
 * read by a consumer, which in a cluster may sit on a member that is a moment behind, or dies
 * meanwhile: so the leader is asked where it ended, and has the last word.
 */
export async function* readStream(
  nc: NatsConnection,
  jsm: JetStreamManager,
  range: StreamRange,
): AsyncGenerator<StreamMessage> {
  const { stream, filter = WHOLE_STREAM } = range;
  let { limit: left = Number.POSITIVE_INFINITY } = range;
  const { bytes = Number.POSITIVE_INFINITY } = range;
  let [count, held] = [0, 0];
  /** Those to come are taken to be as large as those before, and sent no further if they aren't. */
  const room: BatchRange["room"] = () => {
    const free = Math.max(0, bytes - held);
    return { messages: held === 0 ? BATCH : Math.ceil((free * count) / held), bytes: free };
  };
  const took = ({ data, sequence }: StreamMessage): void => {
    from = sequence + 1;
    left -= 1;
    count += 1;
    held += data.length;
  };
  let from = Math.max(1, range.from ?? 1);
  /** What comes later is not waited for: there may always be more. Known once batches are read. */
  let { until } = range;
  const { leaderReads: atFirst = LEADER_READS } = range;
  for (let leaderReads = atFirst; left > 0 && held < bytes; leaderReads -= 1) {
    if (leaderReads === 0) {
      until ??= await lastOf(jsm, stream, filter);
      const batches = { stream, filter, from, limit: left, room };
      for await (const message of readBatches(nc, jsm, batches)) {
        if (message.sequence > until) return;
        yield message;
        took(message);
      }
      if (left === 0 || held >= bytes) return;
      leaderReads = LEADER_READS_MORE;
    }
    const stored = await request(`read the stream ${stream}`, () =>
      nextMessage(jsm, stream, from, filter),
    );
    if (stored === undefined || (until !== undefined && stored.seq > until)) return;
    const message = {
      subject: stored.subject,
      sequence: stored.seq,
      storedAt: stored.time.getTime(),
      data: plainBytes(stored.data),
      headers: headersOf(stored),
    };
    yield message;
    took(message);
  }
}

function lastOf(jsm: JetStreamManager, stream: string, filter: string): Promise<number> {
  return request(
    `read the stream ${stream}`,
    async () => (await lastMessage(jsm, stream, filter))?.seq ?? 0,
  );
}

/**
 * May end before the range does: the rest was removed meanwhile, or the reader's member does not
 * have it, or is gone.
 */
async function* readBatches(
  nc: NatsConnection,
  jsm: JetStreamManager,
  range: BatchRange,
): AsyncGenerator<StreamMessage> {
  const reader = await addReader(jsm, range);
  if (reader === undefined) return;
  const { name, pending } = reader;
  try {
    let isNextTooLarge = false;
    for (let left = Math.min(pending, range.limit); left > 0;) {
      const room = range.room();
      const size = Math.min(left, isNextTooLarge ? 1 : BATCH, room.messages);
      if (size === 0) return;
      const { messages, isFull } = await pullBatch(nc, range.stream, name, {
        ...{ size, bytes: pullBytes(size, nc.info?.max_payload ?? 2 ** 20, room.bytes) },
      });
      yield* messages;
      if (messages.length < size && !isFull) return;
      // Stored when the server took larger messages: one alone is asked for without a bound.
      isNextTooLarge = messages.length === 0;
      left -= messages.length;
    }
  } finally {
    // It would be forgotten by itself; a failure to hurry that along is nobody's concern.
    if (!nc.isClosed()) await jsm.consumers.delete(range.stream, name).catch(() => false);
  }
}

async function addReader(
  jsm: JetStreamManager,
  range: BatchRange,
): Promise<{ name: string; pending: number } | undefined> {
  return request(`read the stream ${range.stream}`, async () => {
    try {
      const info = await jsm.consumers.add(range.stream, {
        ack_policy: AckPolicy.None,
        replay_policy: ReplayPolicy.Instant,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: range.from,
        filter_subject: range.filter,
        inactive_threshold: nanos(IDLE_MS),
        num_replicas: 1,
        mem_storage: true,
      });
      return { name: info.name, pending: info.num_pending };
    } catch (error) {
      if (apiCode(error) === STREAM_NOT_FOUND) return undefined;
      throw error;
    }
  });
}

/**
 * Whatever ends it early, a fault or a silence, ends it with what has come; `isFull`: its bytes
 * did.
 */
function pullBatch(
  nc: NatsConnection,
  stream: string,
  consumer: string,
  { size, bytes }: { readonly size: number; readonly bytes: number | undefined },
): Promise<{ readonly messages: readonly StreamMessage[]; readonly isFull: boolean }> {
  return request(`read the stream ${stream}`, async () => {
    const inbox = newInbox(nc);
    const messages: StreamMessage[] = [];
    let isFull = false;
    const ended = Promise.withResolvers<void>();
    const { clock } = machineOf(nc);
    let silence = clock.setTimer(SILENCE_MS, ended.resolve);
    const sub = hearOn(nc, inbox, (error, msg) => {
      if (error !== null) return ended.reject(error);
      silence.cancel();
      silence = clock.setTimer(SILENCE_MS, ended.resolve);
      if (isEnd(msg)) {
        const news = pullNews(readStatus(msg), readHeaders(msg));
        // Some may be lost on their way: then the leader is asked.
        isFull =
          news.kind === "ended" && !news.isDry && news.undelivered === size - messages.length;
        return ended.resolve();
      }
      messages.push(streamMessage(msg));
      if (messages.length === size) ended.resolve();
    });
    void sub.closed.then(() => ended.resolve());
    nc.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
      JSON.stringify({ batch: size, max_bytes: bytes, no_wait: true }),
      { reply: inbox },
    );
    try {
      await ended.promise;
    } finally {
      silence.cancel();
      if (!nc.isClosed()) sub.unsubscribe();
    }
    return { messages, isFull };
  });
}

/** A stored message has an address to confirm it by, whatever its producer wrote in its headers. */
function isEnd(msg: Msg): boolean {
  return (msg.reply ?? "") === "" && msg.data.length === 0 && readStatus(msg).code >= 400;
}

function streamMessage(msg: Msg): StreamMessage {
  const place = parseAckSubject(msg.reply ?? "");
  return {
    subject: msg.subject,
    sequence: place?.streamSequence ?? 0,
    storedAt: place?.publishedAtMs ?? 0,
    data: plainBytes(msg.data),
    headers: readHeaders(msg),
  };
}
