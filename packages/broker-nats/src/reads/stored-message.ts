import { type QueueMessage, readEnvelope, type ReadResult } from "@millrace/core";
import { type DueJob, readDelayedHeaders } from "../messages/delayed-headers.ts";
import { headersOf, type LeaderMessage } from "./next-message.ts";
import type { ServerAccess } from "../store/server-access.ts";
import type { QueueSubject } from "../topology/queue-subjects.ts";
import { plainBytes } from "../wire/plain-bytes.ts";
import type { ReceivedHeaders } from "../wire/read-headers.ts";

/** A message as a stream holds it, however it was read. */
export interface StoredMessage {
  readonly subject: string;
  readonly sequence: number;
  readonly data: Uint8Array;
  readonly headers: ReceivedHeaders;
  /** Epoch milliseconds by the server's clock. */
  readonly storedAt: number;
  /**
   * Whether these bytes stand in it: false for nearly all messages of a long queue, and cheaper
   * than reading them.
   */
  shows(bytes: Buffer): boolean;
}

/** The same bytes, searchable. */
export function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** A stored message read as a job. */
export interface StoredJob {
  readonly message: QueueMessage;
  readonly read: ReadResult;
}

export function fromLeader(stored: LeaderMessage): StoredMessage {
  const [headers, data] = [headersOf(stored), plainBytes(stored.data)];
  return {
    subject: stored.subject,
    sequence: stored.seq,
    data,
    headers,
    storedAt: stored.time.getTime(),
    shows: (bytes) =>
      asBuffer(data).includes(bytes) ||
      Object.values(headers).some((value) => value.includes(bytes.toString())),
  };
}

/** The job of a message in a queue's stream. */
export function queuedJob(
  { names, maxValues }: Pick<ServerAccess, "names" | "maxValues">,
  stored: Omit<StoredMessage, "shows">,
): StoredJob | undefined {
  const subject = names.readQueueSubject(stored.subject, stored.headers);
  if (subject === undefined) return undefined;
  return readStored(subject, stored, maxValues);
}

/**
 * The job of a message in the delayed stream; undefined for a message that Millrace did not write.
 */
export function delayedJob(
  { maxValues }: Pick<ServerAccess, "maxValues">,
  stored: StoredMessage,
): (StoredJob & DueJob) | undefined {
  const job = readDelayedHeaders(stored.headers);
  if (job === undefined) return undefined;
  const { queue, lane } = job;
  const place = { queue, lane, origin: "runtime", key: undefined } as const;
  return { ...job, ...readStored(place, stored, maxValues) };
}

function readStored(
  { queue, lane, origin, key }: Omit<QueueSubject, "woken">,
  { data, headers, sequence, storedAt }: Omit<StoredMessage, "shows">,
  maxValues: number,
): StoredJob {
  const message: QueueMessage = {
    queue,
    ...(lane === undefined ? {} : { lane }),
    ...(key === undefined ? {} : { key }),
    origin,
    body: data,
    headers,
    sequence,
    storedAt,
  };
  return { message, read: readEnvelope(message, maxValues) };
}
