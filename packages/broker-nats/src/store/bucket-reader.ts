import type { JetStreamManager, JsMsg } from "@nats-io/jetstream";
import type { KvEntry } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import { newInbox } from "../wire/inbox.ts";

/** What was written to a bucket; `key` as it is stored. */
export type BucketEntry = Pick<KvEntry, "key" | "operation" | "revision" | "value" | "created">;

export interface BucketReader extends AsyncIterable<BucketEntry> {
  /** Ends the iteration and takes the consumer from the server. */
  stop(): void;
}

export interface BucketStart {
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;
  readonly bucket: string;
  /** The first revision that is read. */
  readonly from: number;
}

/**
 * Reads a bucket's entries as they are written. The client's own watch would leave its consumer behind when it is stopped, and with it
 * five minutes of work for the server: four of them for each node that ends, and for each that was cut off.
 */
export async function openBucketReader({
  nc,
  jsm,
  bucket,
  from,
}: BucketStart): Promise<BucketReader> {
  const stream = `KV_${bucket}`;
  const prefix = `$KV.${bucket}.`;
  const consumer = await jsm.jetstream().consumers.getPushConsumer(stream, {
    filter_subjects: `${prefix}>`,
    opt_start_seq: from,
  });
  const messages = await consumer.consume();
  return {
    async *[Symbol.asyncIterator]() {
      for await (const message of messages) yield entryOf(message, prefix.length);
    },
    stop() {
      void messages.close();
      void consumer.info(true).then(({ name }) => remove(nc, stream, name));
    },
  };
}

/** Nobody waits for the answer: whoever stops may be cut off, and then the server forgets the consumer by itself. */
function remove(nc: NatsConnection, stream: string, consumer: string): void {
  if (nc.isClosed()) return;
  nc.publish(`$JS.API.CONSUMER.DELETE.${stream}.${consumer}`, "", { reply: newInbox(nc) });
}

function entryOf(message: JsMsg, prefixLength: number): BucketEntry {
  return {
    key: message.subject.slice(prefixLength),
    operation: operationOf(message),
    revision: message.seq,
    value: message.data,
    created: new Date(message.timestamp),
  };
}

/** A mark of the server's stands for a value that has run out. */
function operationOf({ headers }: JsMsg): KvEntry["operation"] {
  if (headers?.get("Nats-Marker-Reason") === "MaxAge") return "PURGE";
  const operation = headers?.get("KV-Operation");
  return operation === "DEL" || operation === "PURGE" ? operation : "PUT";
}
