import { AckPolicy, DeliverPolicy, type JetStreamManager, ReplayPolicy } from "@nats-io/jetstream";
import { type Msg, nanos, type NatsConnection } from "@nats-io/nats-core";
import { apiCode, request, STREAM_NOT_FOUND } from "../jetstream-errors.ts";
import { parseAckSubject } from "../pull/ack-subject.ts";
import { plainBytes } from "../wire/plain-bytes.ts";
import { newInbox } from "../wire/inbox.ts";
import { type ReceivedHeaders, readHeaders, readStatus } from "../wire/read-headers.ts";

export interface StreamMessage {
  readonly subject: string;
  readonly sequence: number;
  readonly data: Uint8Array;
  readonly headers: ReceivedHeaders;
}

export interface StreamRange {
  readonly stream: string;
  readonly filter: string;
  /** The first sequence to look at. Default 1. */
  readonly from?: number;
  /** Most messages. Default: all there are at the moment. */
  readonly limit?: number;
}

/** A reader that stalls is forgotten by the server after this. */
const IDLE_MS = 30_000;
const BATCH = 500;
const BATCH_TIMEOUT_MS = 5_000;

/** Reads what a Limits stream holds now, oldest first. A stream that does not exist holds nothing. */
export async function* readStream(nc: NatsConnection, jsm: JetStreamManager, range: StreamRange): AsyncGenerator<StreamMessage> {
  const reader = await addReader(jsm, range);
  if (reader === undefined) return;
  const { name, pending } = reader;
  try {
    for (let left = Math.min(pending, range.limit ?? pending); left > 0; ) {
      const batch = await pullBatch(nc, range.stream, name, Math.min(left, BATCH));
      yield* batch;
      // Fewer than asked for: the rest was removed meanwhile.
      if (batch.length < Math.min(left, BATCH)) return;
      left -= batch.length;
    }
  } finally {
    // It would be forgotten by itself; a failure to hurry that along is nobody's concern.
    if (!nc.isClosed()) await jsm.consumers.delete(range.stream, name).catch(() => false);
  }
}

async function addReader(jsm: JetStreamManager, range: StreamRange): Promise<{ name: string; pending: number } | undefined> {
  return request(`read the stream ${range.stream}`, async () => {
    try {
      const info = await jsm.consumers.add(range.stream, {
        ack_policy: AckPolicy.None,
        replay_policy: ReplayPolicy.Instant,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: Math.max(1, range.from ?? 1),
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

function pullBatch(nc: NatsConnection, stream: string, consumer: string, size: number): Promise<StreamMessage[]> {
  return request(`read the stream ${stream}`, async () => {
    const inbox = newInbox(nc);
    const messages: StreamMessage[] = [];
    const sub = nc.subscribe(inbox, { max: size + 1, timeout: BATCH_TIMEOUT_MS });
    nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify({ batch: size, no_wait: true }), { reply: inbox });
    try {
      for await (const msg of sub) {
        if (isEnd(msg)) break;
        messages.push(streamMessage(msg));
        if (messages.length === size) break;
      }
    } finally {
      sub.unsubscribe();
    }
    return messages;
  });
}

function isEnd(msg: Msg): boolean {
  return msg.data.length === 0 && readStatus(msg).code >= 400;
}

function streamMessage(msg: Msg): StreamMessage {
  return { subject: msg.subject, sequence: parseAckSubject(msg.reply ?? "")?.streamSequence ?? 0, data: plainBytes(msg.data), headers: readHeaders(msg) };
}
