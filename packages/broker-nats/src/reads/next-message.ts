import type { JetStreamManager, MsgRequest, StoredMsg } from "@nats-io/jetstream";
import { apiCode, STREAM_NOT_FOUND } from "../jetstream-errors.ts";

/**
 * The first message from a sequence on whose subject fits. Asked of the stream's leader, so
 * whatever was confirmed before is seen.
 *
 * @returns undefined where there is none, or no such stream
 */
export function nextMessage(
  jsm: JetStreamManager,
  stream: string,
  from: number,
  subject: string,
): Promise<StoredMsg | undefined> {
  // The server takes `next_by_subj` here as it does for direct gets; the client's type leaves it
  // out.
  const query = { seq: from, next_by_subj: subject };
  return message(jsm, stream, query);
}

/** The newest message on a subject that fits, from the stream's leader. */
export function lastMessage(
  jsm: JetStreamManager,
  stream: string,
  subject: string,
): Promise<StoredMsg | undefined> {
  return message(jsm, stream, { last_by_subj: subject });
}

/**
 * The message at a place, from the stream's leader.
 * @returns undefined where it is gone, or the stream is
 */
export function messageAt(
  jsm: JetStreamManager,
  stream: string,
  sequence: number,
): Promise<StoredMsg | undefined> {
  return message(jsm, stream, { seq: sequence });
}

async function message(
  jsm: JetStreamManager,
  stream: string,
  query: MsgRequest,
): Promise<StoredMsg | undefined> {
  try {
    return (await jsm.streams.getMessage(stream, query)) ?? undefined;
  } catch (error) {
    if (apiCode(error) === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

/** By lower-case name; of a repeated header the first value. */
export function headersOf(stored: StoredMsg): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, values] of stored.header ?? []) headers[name.toLowerCase()] ??= values[0] ?? "";
  return headers;
}
