import {
  checkedHeaders,
  encodeJson,
  type EncodeRules,
  type Instrumentation,
  DEFAULT_MAX_VALUES,
  isId,
  MillraceError,
  optionNames,
  type OutgoingMessage,
  refuseUnknown,
  requireId,
  requireSubject,
  tooManyReceived,
} from "@millrace/core";
import { tooLarge } from "./large-body.ts";
import { tracedHeaders } from "./traced-headers.ts";
import type { OutboxRow, SetAside } from "../store/outbox-store.ts";

/** What may be said about one message when it is published. */
export interface PublishOptions {
  /** Goes with it as `Nats-Msg-Id`. Default: a new UUID version 7. */
  readonly id?: string;
  /** `Nats-…` and `Millrace-…` are not yours to set. `Content-Type` of JSON is set if you don't. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Whether a stream has to store it. Default true; false: whoever listens at the moment gets it,
   * and nobody confirms that.
   */
  readonly stored?: boolean;
}

/** A message that is published once its transaction has committed. */
export interface MessageRef {
  readonly id: string;
  readonly subject: string;
}

/** A row for whoever reads a subject. */
export interface MessageRow extends MessageRef {
  readonly kind: "message" | "notice";
  readonly queue: string;
  readonly body: Uint8Array;
  /** JSON. */
  readonly headers: string;
}

export interface MessageRules {
  readonly newId: () => string;
  readonly maxBytes: number;
  readonly instrumentation?: Instrumentation | undefined;
}

const OPTIONS = optionNames<PublishOptions>({ id: true, headers: true, stored: true });
const RULES: EncodeRules = { maxValues: DEFAULT_MAX_VALUES, exact: true, wellFormed: true };
const CONTENT_TYPE = "content-type";
const JSON_TYPE = "application/json";
/** A header's name and value are followed by their separators. */
const HEADER_OVERHEAD = 4;
/** Headers that order the server to do something, or say something of a job. */
const RESERVED = /^(?:nats-|millrace-)/i;
/** No queue has such a name. */
const LINE_END = ".>";

/**
 * The row of a message. Messages whose subjects begin with the same token wait in one line, in the
 * place of a queue.
 *
 * @throws MillraceError `invalid-name`, `invalid-option`, `unserializable-payload`,
 *   `payload-too-large`
 */
export function messageRow(
  subject: string,
  data: unknown,
  options: PublishOptions,
  rules: MessageRules,
): MessageRow {
  refuseUnknown(options, OPTIONS, "publish");
  requireSubject(subject);
  const id = options.id === undefined ? rules.newId() : requireId(options.id, "A message's id");
  const isBytes = data instanceof Uint8Array;
  const given = withType(options.headers ?? {}, isBytes ? undefined : JSON_TYPE);
  const headers = tracedHeaders(rules.instrumentation, {
    ...{ destination: subject, id, headers: given, job: undefined },
  });
  const body = isBytes ? data : encodeJson(data, RULES);
  const size = Object.entries({ ...headers, "Nats-Msg-Id": id }).reduce(
    (sum, [name, value]) =>
      sum + Buffer.byteLength(name) + Buffer.byteLength(value) + HEADER_OVERHEAD,
    body.length,
  );
  if (size > rules.maxBytes)
    throw new MillraceError(
      "payload-too-large",
      `The message ${id} for ${subject} takes ${size} bytes with its headers; the limit is ${rules.maxBytes}. Store the data in a table of your own and send a reference to it.`,
    );
  return {
    id,
    subject,
    kind: options.stored === false ? "notice" : "message",
    queue: lineOf(subject),
    body,
    headers: JSON.stringify(headers),
  };
}

/** The line in which a subject's messages wait. */
function lineOf(subject: string): string {
  return `${subject.split(".", 1)[0] ?? ""}${LINE_END}`;
}

/** Whether it is a line of messages, and no queue. */
export function isLine(queue: string): boolean {
  return queue.endsWith(LINE_END);
}

/** The columns of a message in the order of the statements that insert one. */
export function messageParameters(
  { id, queue, kind, subject, headers, body }: MessageRow,
  encoding: "base64" | "hex",
): readonly string[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return [id, queue, kind, subject, headers, bytes.toString(encoding)];
}

export type ReadMessage =
  | { readonly ok: true; readonly seq: number; readonly message: OutgoingMessage }
  | ({ readonly ok: false } & SetAside);

/** Reads what any writer may have put there. Never throws. */
export function readMessageRow(row: OutboxRow): ReadMessage {
  const { seq, id, kind, subject, body } = row;
  const large = tooLarge(row);
  if (large !== undefined) return { ok: false, ...large };
  if (kind !== "message" && kind !== "notice")
    return refused(seq, "invalid-envelope", "The row is in a line of messages, and no message.");
  if (!isId(id))
    return refused(seq, "invalid-name", "The id has characters outside of A-Z a-z 0-9 _ : -");
  try {
    const stored = kind === "message";
    const message = { id, subject: requireSubject(subject), data: body, stored };
    return { ok: true, seq, message: { ...message, headers: headersOf(row.headers) } };
  } catch (error) {
    if (MillraceError.is(error)) return refused(seq, error.code, error.message);
    return refused(seq, "invalid-header", "headers must be a JSON object of strings.");
  }
}

function refused(seq: number, reason: string, detail: string): ReadMessage {
  return { ok: false, seq, reason, detail };
}

/** @throws MillraceError, or whatever JSON says */
function headersOf(text: string): Readonly<Record<string, string>> {
  const value = JSON.parse(text) as unknown;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new TypeError(text);
  const headers: Record<string, string> = {};
  for (const [name, one] of Object.entries(value)) {
    if (typeof one !== "string") throw new TypeError(name);
    if (RESERVED.test(name))
      throw new MillraceError("invalid-header", `The header ${name} is not a message's to set.`);
    if (!one.isWellFormed())
      throw new MillraceError("invalid-header", `The header ${name} holds half of a letter.`);
    headers[name] = one;
  }
  // As those of a job, with room for a trace: a stream stores no more, and listeners hold them all.
  const crowded = tooManyReceived(headers, false);
  if (crowded !== undefined) throw new MillraceError("invalid-header", `${crowded}.`);
  return headers;
}

/** @throws MillraceError `invalid-option` */
function withType(
  headers: Readonly<Record<string, string>>,
  type: string | undefined,
): Readonly<Record<string, string>> {
  const isType = ([name]: [string, string]): boolean => name.toLowerCase() === CONTENT_TYPE;
  const entries = Object.entries(headers);
  const own = checkedHeaders(Object.fromEntries(entries.filter((entry) => !isType(entry))));
  const [, given = type] = entries.find(isType) ?? [];
  if (given === undefined) return own;
  if (typeof given !== "string" || !/^[\x20-\x7e]{1,200}$/.test(given))
    throw new MillraceError("invalid-option", "headers: Content-Type must be one line of text.");
  return { ...own, "Content-Type": given };
}
