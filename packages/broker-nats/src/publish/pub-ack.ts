import type { Msg } from "@nats-io/nats-core";
import { NOT_AGREED_ON } from "../error-codes.ts";
import { LATER, RETRY, type ReplyMeaning } from "../requests/in-flight-request.ts";
import { MillraceError, type NatsErrorCode } from "../errors.ts";
import { readObject } from "../wire/read-object.ts";

/** Proof that the stream holds the message. */
export interface PubAck {
  readonly stream: string;
  /** 0 where many were confirmed as one. */
  readonly sequence: number;
  /**
   * The stream already had a message with this id. After a retry (`attempts` > 1) that may be this
   * very message.
   */
  readonly duplicate: boolean;
  /** How often it was sent. */
  readonly attempts: number;
}

/** What JetStream said, for callers that must tell one refusal from another. */
export class JetStreamRefusal extends Error {
  override readonly name = "JetStreamRefusal";
  /** JetStream's own `err_code`, such as 10077. */
  readonly errCode: number;

  constructor(errCode: number, description: string) {
    super(description);
    this.errCode = errCode;
  }
}

interface PubAckJson {
  readonly stream?: string;
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: RefusalWords;
}

/** How the server says no. */
export interface RefusalWords {
  readonly err_code?: number;
  readonly description?: string;
}

const STREAM_START = '{"stream":"';
const SEQUENCE_START = '","seq":';
const SEQUENCE_START_SPACED = '", "seq":';

const DIGIT_0 = 0x30;
const CLOSING_BRACE = 0x7d;

/**
 * How the last plain acknowledgement began, up to its digits. Written by `plainAck`; the next one
 * is nearly always of the same stream.
 */
let known: { readonly start: Uint8Array; readonly stream: string } | undefined;

/**
 * Reads an acknowledgement of the server. The plain form, which nearly all have, is read without a
 * JSON parser, and mostly without making a string.
 */
export function judgePubAck(reply: Msg, subject: string, attempts: number): ReplyMeaning<PubAck> {
  const { data } = reply;
  if (known !== undefined && startsWith(data, known.start)) {
    const sequence = readSequence(data, known.start.length);
    if (sequence > 0) return { stream: known.stream, sequence, duplicate: false, attempts };
  }
  const text = reply.string();
  return plainAck(text, data, attempts) ?? jsonAck(text, subject, attempts);
}

function plainAck(text: string, data: Uint8Array, attempts: number): PubAck | undefined {
  if (!text.startsWith(STREAM_START)) return undefined;
  const nameEnd = text.indexOf('"', STREAM_START.length);
  const separator = [SEQUENCE_START, SEQUENCE_START_SPACED].find((start) =>
    text.startsWith(start, nameEnd),
  );
  // Beyond ASCII, places in the text are not places in the bytes.
  if (separator === undefined || text.length !== data.length) return undefined;
  const digits = nameEnd + separator.length;
  const sequence = readSequence(data, digits);
  if (sequence === 0) return undefined;
  const stream = text.slice(STREAM_START.length, nameEnd);
  known = { start: data.slice(0, digits), stream };
  return { stream, sequence, duplicate: false, attempts };
}

function startsWith(data: Uint8Array, start: Uint8Array): boolean {
  if (data.length <= start.length) return false;
  for (let i = 0; i < start.length; i += 1) if (data[i] !== start[i]) return false;
  return true;
}

/**
 * The number that ends at the closing brace and begins at `from`; 0 where anything else stands
 * there.
 */
function readSequence(data: Uint8Array, from: number): number {
  const end = data.length - 1;
  if (data[end] !== CLOSING_BRACE) return 0;
  let sequence = 0;
  for (let i = from; i < end; i += 1) {
    const digit = (data[i] as number) - DIGIT_0;
    if (digit < 0 || digit > 9) return 0;
    sequence = sequence * 10 + digit;
  }
  return sequence;
}

function jsonAck(text: string, subject: string, attempts: number): ReplyMeaning<PubAck> {
  const ack: PubAckJson = readObject(text) ?? {};
  if (isRefusal(ack.error)) return refusal(ack.error, subject);
  if (typeof ack.stream !== "string" || typeof ack.seq !== "number") {
    return new MillraceError(
      "broker-rejected",
      `The answer for ${subject} is no JetStream acknowledgement. Something else subscribes to this subject.`,
    );
  }
  // A replicated stream of 2.10 says "duplicate" with sequence 0 while the first copy is not stored
  // yet, and goes on saying so where that copy was then refused: nothing is proved until it names a
  // sequence.
  if (ack.seq === 0) return RETRY;
  return { stream: ack.stream, sequence: ack.seq, duplicate: ack.duplicate === true, attempts };
}

/** Refused because of a write that may come to nothing: it proves nothing. */
export function isNotAgreedOn(failure: unknown): boolean {
  return (
    failure instanceof MillraceError &&
    failure.cause instanceof JetStreamRefusal &&
    failure.cause.errCode === NOT_AGREED_ON
  );
}

/** Of the message that is there instead, where the server names it; else 0. */
export function lastSequence({ cause }: MillraceError): number {
  const [, sequence] = /(\d+)$/.exec(cause instanceof Error ? cause.message : "") ?? [];
  return Number(sequence ?? 0);
}

/** The same id is being stored: nobody knows yet what becomes of it. */
const SAME_ID = 10158;
/** Not now, but soon: JetStream is starting, or its intake is full. */
const PASSING = new Set([10008, 10009, 10167]);

const MEANING: ReadonlyMap<number, readonly [NatsErrorCode, string]> = new Map<
  number,
  readonly [NatsErrorCode, string]
>([
  [10054, ["payload-too-large", "Send less, or raise the stream's max_msg_size."]],
  [10039, ["jetstream-disabled", "Enable JetStream for the account."]],
  [10076, ["jetstream-disabled", "Start nats-server with -js."]],
  [
    10023,
    [
      "broker-unavailable",
      "Free disk or memory on the server, or raise the account's JetStream limits.",
    ],
  ],
  [
    10002,
    [
      "broker-unavailable",
      "Remove what is no longer needed from the account's streams, or raise its JetStream limits.",
    ],
  ],
  [10028, ["broker-unavailable", "Raise the account's JetStream memory limit."]],
  [
    10047,
    [
      "broker-unavailable",
      "Free disk on the server, or raise the account's JetStream storage limit.",
    ],
  ],
  [10071, ["conflict", "Someone else changed the subject first: read it and decide again."]],
  [
    NOT_AGREED_ON,
    ["conflict", "Someone else changed the subject first: read it and decide again."],
  ],
]);

/** Whether somebody says no, whoever that is. */
export function isRefusal(error: RefusalWords | undefined): error is RefusalWords {
  return typeof error === "object" && error !== null;
}

export function refusal(
  { err_code: errCode = 0, description = "no description" }: RefusalWords,
  subject: string,
): ReplyMeaning<PubAck> {
  if (errCode === SAME_ID) return RETRY;
  if (PASSING.has(errCode)) return LATER;
  const [code, advice] = meaning(errCode, description);
  return new MillraceError(
    code,
    `JetStream refused the message for ${subject}: ${description} (${errCode}). ${advice}`,
    {
      cause: new JetStreamRefusal(errCode, description),
    },
  );
}

function meaning(errCode: number, description: string): readonly [NatsErrorCode, string] {
  if (errCode === 10077) {
    // One code for every failure to store: limits say "maximum …", anything else is the disk.
    return description.includes("maximum")
      ? ["queue-full", "Nothing was dropped: publish later, or raise the queue's limits."]
      : ["broker-unavailable", "Check the server's disk."];
  }
  return MEANING.get(errCode) ?? ["broker-rejected", "See the description."];
}
