import {
  type DeadLetter,
  type DeadReason,
  type FirstMessage,
  type QueueMessage,
  type RecordedError,
  type RecordedFields,
  trimError,
} from "@millrace/core";
import type { ReceivedHeaders } from "../wire/read-headers.ts";

/**
 * The original headers whose names mean something to the server or to Millrace travel under this
 * prefix, where they mean nothing.
 */
const ORIGINAL = "Millrace-Original-";
const ORIGINAL_LOWER = ORIGINAL.toLowerCase();
const MAX_ERROR_BYTES = 3_700;
const MAX_FIRST_ERROR_BYTES = 1_600;
/** The header block's first and last line, the message's id, and how many were dropped. */
const FRAME_BYTES = 512;
/** JetStream stores no more of them with a message, whatever `max_payload` is. */
const MAX_BLOCK_BYTES = 65_535;

/**
 * The headers of a dead letter: its own fields as `Millrace-…`, then the job's own headers as far
 * as they fit into what the server takes. Only a message with more than a job may have loses any;
 * `Millrace-Headers-Dropped` counts them.
 */
export function writeDeadLetterHeaders(
  letter: DeadLetter,
  maxPayload: number,
): Record<string, string> {
  const own: Record<string, string> = {
    "Millrace-Id": letter.id,
    "Millrace-Reason": letter.reason,
    "Millrace-Attempts": String(letter.attempts),
    "Millrace-At": String(letter.at),
    "Millrace-Node": encodeText(letter.node.slice(0, 256)),
  };
  if (letter.door !== undefined) own["Millrace-Door"] = letter.door;
  if (letter.firstStoredAt !== undefined)
    own["Millrace-First-Stored-At"] = String(letter.firstStoredAt);
  if (letter.unkeyed !== undefined) own["Millrace-Unkeyed"] = String(letter.unkeyed);
  if (letter.name !== undefined) own["Millrace-Name"] = letter.name;
  if (letter.error !== undefined)
    own["Millrace-Error"] = boundedJson(letter.error, MAX_ERROR_BYTES);
  if (letter.firstError !== undefined)
    own["Millrace-First-Error"] = boundedJson(letter.firstError, MAX_FIRST_ERROR_BYTES);

  const block = Math.min(maxPayload - letter.body.length, MAX_BLOCK_BYTES);
  let room = block - FRAME_BYTES - sizeOf(own);
  let dropped = 0;
  for (const [name, value] of Object.entries(letter.headers)) {
    const travels = isReserved(name) ? `${ORIGINAL}${name}` : name;
    const size = lineSize(travels, value);
    if (size > room) {
      dropped += 1;
      continue;
    }
    room -= size;
    own[travels] = value;
  }
  if (dropped > 0) own["Millrace-Headers-Dropped"] = String(dropped);
  return own;
}

/**
 * How the message id of a letter begins, the same however often the settlement is repeated. The
 * time as well as the place: a queue that is removed and made again counts from 1.
 */
export function buriedId({ queue, sequence, storedAt }: QueueMessage): string {
  return `dead/${queue}/${sequence}/${storedAt}/`;
}

/** The letter in a message of the dead letter stream. `queue` and `id` come from its subject. */
export function readDeadLetter(
  queue: string,
  id: string,
  body: Uint8Array,
  headers: ReceivedHeaders,
): DeadLetter {
  const error = parseError(headers["millrace-error"]);
  const firstError = parseError(headers["millrace-first-error"]);
  const name = headers["millrace-name"];
  const door = headers["millrace-door"];
  return {
    id: headers["millrace-id"] ?? id,
    ...(name === undefined ? {} : { name }),
    queue,
    // Written by settlement alone, so it is one of its reasons; a newer runtime's may be one this
    // version does not know.
    reason: (headers["millrace-reason"] ?? "invalid-envelope") as DeadReason,
    attempts: Number(headers["millrace-attempts"] ?? 0),
    ...(error === undefined ? {} : { error }),
    ...(firstError === undefined ? {} : { firstError }),
    at: Number(headers["millrace-at"] ?? 0),
    node: decodeText(headers["millrace-node"] ?? ""),
    ...(door === "producer" || door === "program" || door === "runtime" ? { door } : {}),
    ...firstMessage(headers),
    body,
    headers: originalHeaders(headers),
  };
}

function firstMessage(headers: ReceivedHeaders): FirstMessage {
  const firstStoredAt = headers["millrace-first-stored-at"];
  const unkeyed = headers["millrace-unkeyed"];
  return {
    ...(firstStoredAt === undefined ? {} : { firstStoredAt: Number(firstStoredAt) }),
    ...(unkeyed === undefined ? {} : { unkeyed: Number(unkeyed) }),
  };
}

function originalHeaders(headers: ReceivedHeaders): Readonly<Record<string, string>> {
  const original: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    if (name.startsWith(ORIGINAL_LOWER)) original[name.slice(ORIGINAL_LOWER.length)] = value;
    else if (!isReserved(name)) original[name] = value;
  }
  return original;
}

function isReserved(name: string): boolean {
  const lower = name.toLowerCase();
  return lower.startsWith("nats-") || lower.startsWith("millrace-");
}

/** Whole where it fits, else without its stack, else without its fields, else cut to what does. */
function boundedJson(error: RecordedError, maxBytes: number): string {
  const { stack: _stack, ...withoutStack } = error;
  const { fields: _fields, ...bare } = withoutStack;
  for (const candidate of [error, withoutStack, bare]) {
    const text = JSON.stringify(candidate);
    if (Buffer.byteLength(text) <= maxBytes) return text;
  }
  return JSON.stringify(trimError(error));
}

function parseError(text: string | undefined): RecordedError | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("type" in value) || !("message" in value))
      return undefined;
    const stack = "stack" in value ? { stack: String(value.stack) } : {};
    const fields = "fields" in value && isFields(value.fields) ? { fields: value.fields } : {};
    return { type: String(value.type), message: String(value.message), ...stack, ...fields };
  } catch {
    // The letter is worth more than its error: it is shown without one.
    return undefined;
  }
}

function isFields(value: unknown): value is RecordedFields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A node's name is free text; a line break in it would break out of its header. */
function encodeText(text: string): string {
  return JSON.stringify(text);
}

function decodeText(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : text;
  } catch {
    return text;
  }
}

function sizeOf(headers: Readonly<Record<string, string>>): number {
  return Object.entries(headers).reduce((sum, [name, value]) => sum + lineSize(name, value), 0);
}

function lineSize(name: string, value: string): number {
  return Buffer.byteLength(name) + Buffer.byteLength(value) + 4;
}
