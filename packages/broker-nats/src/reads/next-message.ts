import type { JetStreamManager, MsgRequest, StoredMsg } from "@nats-io/jetstream";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode } from "../jetstream-errors.ts";
import { parseHeaders, type ReceivedHeaders } from "../wire/read-headers.ts";

/**
 * A message as a stream's leader tells it. Without the client library's own reader of headers: it
 * throws on what a server takes and takes a second for 64 KB of short names; `headersOf` does not.
 */
export type LeaderMessage = Pick<StoredMsg, "subject" | "seq" | "time" | "data" | "string">;

/**
 * Fits all that a stream holds. Where all is read, this is asked for, and not the one subject with
 * a wildcard that the stream takes: for `>` the server goes by its sequences, for any other
 * wildcard it looks at every subject that the stream has. With 250,000 of them that is 30 ms of the
 * server's processor for each question, in place of 0.5 (docs/decisions/speed.md).
 */
export const WHOLE_STREAM = ">";

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
  subject = WHOLE_STREAM,
): Promise<LeaderMessage | undefined> {
  // The server takes `next_by_subj` here as it does for direct gets; the client's type leaves it
  // out.
  const query = { seq: from, next_by_subj: subject };
  return message(jsm, stream, query);
}

/** The newest message on a subject that fits, from the stream's leader. */
export function lastMessage(
  jsm: JetStreamManager,
  stream: string,
  subject = WHOLE_STREAM,
): Promise<LeaderMessage | undefined> {
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
): Promise<LeaderMessage | undefined> {
  return message(jsm, stream, { seq: sequence });
}

async function message(
  jsm: JetStreamManager,
  stream: string,
  query: MsgRequest,
): Promise<LeaderMessage | undefined> {
  try {
    return (await jsm.streams.getMessage(stream, query)) ?? undefined;
  } catch (error) {
    if (apiCode(error) === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

/** The library keeps the server's answer as it came. */
interface StoredInternals {
  readonly smr: { readonly message: { readonly hdrs?: string } };
}

/** By lower-case name; of a repeated header the first value. */
export function headersOf(stored: LeaderMessage): ReceivedHeaders {
  const { hdrs } = (stored as unknown as StoredInternals).smr.message;
  return parseHeaders(hdrs === undefined ? "" : Buffer.from(hdrs, "base64").toString());
}
