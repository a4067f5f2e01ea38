import { Decoder, Encoder } from "@msgpack/msgpack";
import { MillraceError } from "../errors/millrace-error.ts";
import { NOT_PLAIN, PlainDecoder } from "./plain-decoder.ts";
import { PlainEncoder } from "./plain-encoder.ts";
import { refuseHollowLists } from "./refuse-hollow-lists.ts";

export type BodyFormat = "msgpack" | "json";

/**
 * Deeper values are refused on both sides: some decoder somewhere recurses. The body itself is level 1, what
 * a map or list holds is one level deeper. Both sides count alike, so that what is taken can be read, and
 * what was read can be written again for the next attempt.
 */
export const MAX_DEPTH = 64;

const encoder = new Encoder({ ignoreUndefined: true, maxDepth: MAX_DEPTH });
const plainEncoder = new PlainEncoder(MAX_DEPTH);
const decoder = new Decoder();
const plainDecoder = new PlainDecoder(MAX_DEPTH);
const textDecoder = new TextDecoder("utf-8", { fatal: true });
const textEncoder = new TextEncoder();

/**
 * A value as msgpack bytes.
 *
 * @throws MillraceError `unserializable-payload`
 */
export function encodeMsgpack(value: unknown): Uint8Array {
  try {
    return plainEncoder.encode(value) ?? encoder.encode(value);
  } catch (cause) {
    throw unserializable(cause);
  }
}

/** @throws MillraceError `unserializable-payload` */
export function encodeJson(value: unknown): Uint8Array {
  try {
    const text = JSON.stringify(value, refuseCode);
    refuseUnsafe(JSON.parse(text));
    return textEncoder.encode(text);
  } catch (cause) {
    throw unserializable(cause);
  }
}

/**
 * The value of a msgpack or JSON body.
 *
 * @throws Error whose message says what is wrong with the bytes
 */
export function decodeBody(bytes: Uint8Array, contentType: string | undefined): unknown {
  if (bytes.length === 0) throw new Error("the body is empty");
  if (formatOf(bytes, contentType) === "msgpack") {
    const value = plainDecoder.decode(bytes);
    return value === NOT_PLAIN ? decodeOther(bytes) : value;
  }
  const value = parseJson(bytes);
  refuseUnsafe(value);
  return value;
}

/** Msgpack bytes that are not plain data or not right: by the library, which says what is wrong. */
function decodeOther(bytes: Uint8Array): unknown {
  refuseHollowLists(bytes);
  const value = decoder.decode(bytes);
  refuseUnsafe(value);
  return value;
}

/** The engine's own messages quote the text, which may hold a secret; so they stay here. */
function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textDecoder.decode(bytes));
  } catch {
    throw new Error("it is no valid JSON in UTF-8");
  }
}

/** By the `Content-Type` header, else by the first byte: an object in JSON starts with `{` or white space, a msgpack map never does. */
export function formatOf(bytes: Uint8Array, contentType: string | undefined): BodyFormat {
  if (contentType !== undefined) {
    const type = contentType.toLowerCase();
    if (type.includes("json")) return "json";
    if (type.includes("msgpack")) return "msgpack";
  }
  const first = bytes[0];
  return first === 0x7b || first === 0x20 || first === 0x0a || first === 0x0d || first === 0x09
    ? "json"
    : "msgpack";
}

/** JSON would leave it out without a word, and the payload would be missing. */
function refuseCode(_key: string, value: unknown): unknown {
  if (typeof value === "function" || typeof value === "symbol")
    throw new Error(`it holds a ${typeof value}`);
  return value;
}

/** Recursive, and never deeper than the limit it checks, so hostile nesting can't exhaust the stack. */
function refuseUnsafe(value: unknown, depth = 1): void {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
  if (Array.isArray(value)) {
    if (value.length > 0) refuseDepth(depth);
    for (const entry of value) refuseUnsafe(entry, depth + 1);
    return;
  }
  for (const key of Object.keys(value)) {
    if (key === "__proto__") throw new Error('the body has a key "__proto__"');
    refuseDepth(depth);
    refuseUnsafe((value as Readonly<Record<string, unknown>>)[key], depth + 1);
  }
}

function refuseDepth(depth: number): void {
  if (depth >= MAX_DEPTH) throw new Error(`the body nests deeper than ${MAX_DEPTH} levels`);
}

function unserializable(cause: unknown): MillraceError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new MillraceError(
    "unserializable-payload",
    `The value can't be sent: ${detail}. Send plain data: maps with string keys, arrays, strings, numbers, booleans, null, bytes.`,
    { cause },
  );
}
