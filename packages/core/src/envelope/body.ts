import { Decoder, Encoder } from "@msgpack/msgpack";
import { MillraceError } from "../errors/millrace-error.ts";
import { DEFAULT_MAX_VALUES } from "./body-limits.ts";
import { scanJson } from "./json-scan.ts";
import { fieldBesideEntries, holdsMore } from "./list-fields.ts";
import { fieldBytes, measureBody, TooLarge, TooManyValues } from "./measure-body.ts";
import { NOT_PLAIN, PlainDecoder } from "./plain-decoder.ts";
import { HeldValue, PlainEncoder } from "./plain-encoder.ts";
import { type EncodeRules, sendable } from "./sendable.ts";
import { pathOf, wideInteger } from "./value-path.ts";

export type BodyFormat = "msgpack" | "json";

/** A body that was read, and how many values it holds, keys of maps among them. */
export interface DecodedBody {
  readonly value: unknown;
  readonly values: number;
}

/**
 * Deeper values are refused on both sides: some decoder somewhere recurses. The body itself is
 * level 1, what a map or list holds is one level deeper. Both sides count alike, so that what is
 * taken can be read, and what was read can be written again for the next attempt.
 */
export const MAX_DEPTH = 64;

/** For what was read before, or was made here: it may be as large as it is. */
export const AS_IT_IS: EncodeRules = {
  maxValues: Number.POSITIVE_INFINITY,
  exact: false,
  wellFormed: false,
};

const encoder = new Encoder({ ignoreUndefined: true, maxDepth: MAX_DEPTH });
const plainEncoder = new PlainEncoder(MAX_DEPTH);
/** Of what stands one level down. */
const holder = new PlainEncoder(MAX_DEPTH - 1);
/** Every integer of 64 bits becomes a bigint, so that those that a number can't hold are found. */
const decoder = new Decoder({ useBigInt64: true });
const plainDecoder = new PlainDecoder(MAX_DEPTH);
const textDecoder = new TextDecoder("utf-8", { fatal: true });
const textEncoder = new TextEncoder();

/**
 * A value as msgpack bytes. Minus zero is written as 0, and 3.0 as 3. What has a `toJSON` is
 * written as that says.
 *
 * @throws MillraceError `unserializable-payload`, `payload-too-large` where it holds more values
 *   than the rules allow
 */
export function encodeMsgpack(value: unknown, rules: EncodeRules = AS_IT_IS): Uint8Array {
  const plain = encodePlain(value, rules);
  if (plain !== undefined) return plain;
  try {
    return encoder.encode(sendable(value, rules, MAX_DEPTH));
  } catch (cause) {
    throw unsendable(cause);
  }
}

/**
 * A value as it will be sent, for who keeps it or hands it on before: a structured clone would lose
 * what its objects are.
 *
 * @param root where it is to stand: `payload`, `output`
 * @throws MillraceError `unserializable-payload`, `payload-too-large`
 */
export function requireSendable(
  value: unknown,
  root: string,
  rules: EncodeRules = AS_IT_IS,
): unknown {
  try {
    return sendable(value, rules, MAX_DEPTH, root);
  } catch (cause) {
    throw unsendable(cause);
  }
}

/**
 * A payload as it is now, for an envelope that is written in a later turn: the one encoding of it
 * is done here. What can't be sent, or holds too much, is left as it is, and whoever writes it says
 * why.
 *
 * @param maxValues as its broker takes in a body
 */
export function heldPayload(value: unknown, maxValues = DEFAULT_MAX_VALUES): unknown {
  if (typeof value !== "object" || value === null) return value;
  const rules: EncodeRules = { maxValues, exact: true, wellFormed: true };
  try {
    const plain = holder.encode(value, maxValues, true, true);
    if (plain !== undefined) return new HeldValue(plain, holder.values, readHeld);
    const bytes = encoder.encode(sendable(value, rules, MAX_DEPTH, "payload"));
    return new HeldValue(bytes, measureBody(bytes, Number.POSITIVE_INFINITY), readHeld);
  } catch {
    return value;
  }
}

/**
 * The payload of a body as it stands there, for who sends it on: nothing is made of it, and nothing
 * of what was made before is held. The body was read before, with no complaint.
 *
 * @returns undefined where it has none, or where its bytes alone would be read differently
 */
export function payloadInBody(bytes: Uint8Array, contentType: string | undefined): unknown {
  if (formatOf(bytes, contentType) === "msgpack") {
    const found = fieldBytes(bytes, "payload");
    return found && new HeldValue(found.bytes, found.values, readHeld);
  }
  const read = decodeBody(bytes, contentType, Number.POSITIVE_INFINITY) as { payload?: unknown };
  return heldPayload(read.payload, Number.POSITIVE_INFINITY);
}

/** As many values as it was held with: whoever writes them counts them. */
function readHeld(bytes: Uint8Array): unknown {
  return decodeBody(bytes, "application/msgpack", Number.POSITIVE_INFINITY);
}

function encodePlain(
  value: unknown,
  { maxValues, exact, wellFormed }: EncodeRules,
): Uint8Array | undefined {
  try {
    return plainEncoder.encode(value, maxValues, exact, wellFormed);
  } catch (cause) {
    throw unsendable(cause);
  }
}

/** @throws MillraceError `unserializable-payload`, `payload-too-large` */
export function encodeJson(value: unknown, rules: EncodeRules = AS_IT_IS): Uint8Array {
  try {
    const text = JSON.stringify(value, refusing(rules.maxValues));
    refuseUnsafe(JSON.parse(text));
    const bytes = textEncoder.encode(text);
    scanJson(bytes, rules.maxValues, MAX_DEPTH);
    return bytes;
  } catch (cause) {
    throw unsendable(cause);
  }
}

/**
 * The value of a msgpack or JSON body.
 *
 * @throws Error whose message says what is wrong with the bytes
 */
export function decodeBody(
  bytes: Uint8Array,
  contentType: string | undefined,
  maxValues = DEFAULT_MAX_VALUES,
): unknown {
  return decodeCounted(bytes, contentType, maxValues).value;
}

/**
 * The same with the number of its values.
 *
 * @throws Error whose message says what is wrong with the bytes
 */
export function decodeCounted(
  bytes: Uint8Array,
  contentType: string | undefined,
  maxValues: number,
): DecodedBody {
  if (bytes.length === 0) throw new Error("the body is empty");
  if (formatOf(bytes, contentType) === "json") {
    const values = scanJson(bytes, maxValues, MAX_DEPTH);
    const value = parseJson(bytes);
    refuseUnsafe(value);
    return { value, values };
  }
  const value = plainDecoder.decode(bytes, maxValues);
  return value === NOT_PLAIN
    ? decodeOther(bytes, maxValues)
    : { value, values: maxValues - plainDecoder.room };
}

/** Msgpack bytes that are not plain data or not right: by the library, which says what is wrong. */
function decodeOther(bytes: Uint8Array, maxValues: number): DecodedBody {
  const values = measureBody(bytes, maxValues);
  const value = narrowed(decoder.decode(bytes), []);
  refuseUnsafe(value);
  return { value, values };
}

/** Numbers in place of the bigints, which are replaced where they stand. */
function narrowed(value: unknown, places: (string | number)[]): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new Error(wideInteger(pathOf(places)));
    return number;
  }
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  // Deeper it is refused.
  if (places.length >= MAX_DEPTH) return value;
  const holder = value as Record<string | number, unknown>;
  for (const [key, entry] of Object.entries(holder)) {
    if (typeof entry !== "bigint" && (typeof entry !== "object" || entry === null)) continue;
    const place = Array.isArray(value) ? Number(key) : key;
    places.push(place);
    const narrow = narrowed(entry, places);
    if (narrow !== entry) holder[place] = narrow;
    places.pop();
  }
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

/**
 * By the `Content-Type` header, else by the first byte: an object in JSON starts with `{` or white
 * space, a msgpack map never does.
 */
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

/**
 * Refuses also what certainly holds too many values, before the text of it is made: each field that
 * is not undefined is one, and its key another.
 */
function refusing(maxValues: number): (key: string, value: unknown) => unknown {
  let room = maxValues;
  return (key, given) => {
    if (given !== undefined && --room < 0) throw new TooManyValues(maxValues);
    if (holdsMore(given, room)) throw new TooManyValues(maxValues);
    return refuseCode(key, given);
  };
}

/** JSON would leave it out without a word, or make null of it, and the payload would be another. */
function refuseCode(key: string, value: unknown): unknown {
  if (typeof value === "function" || typeof value === "symbol")
    throw new Error(`it holds a ${typeof value}`);
  if (typeof value === "bigint")
    throw new Error(`${key === "" ? "it" : pathOf([key])} is a bigint; send it as a string`);
  if (typeof value === "number" && !Number.isFinite(value))
    throw new Error(`${key === "" ? "it" : pathOf([key])} is ${value}, which JSON has not`);
  const beside = Array.isArray(value) ? fieldBesideEntries(value) : undefined;
  if (beside !== undefined)
    throw new Error(`a list in it has a field "${beside.slice(0, 40)}" beside its entries`);
  return value;
}

/**
 * Recursive, and never deeper than the limit it checks, so hostile nesting can't exhaust the stack.
 */
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

function unsendable(cause: unknown): MillraceError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof TooLarge)
    return new MillraceError(
      "payload-too-large",
      `The value can't be sent: ${detail}. Send a reference to the data, or several jobs.`,
      { cause },
    );
  return new MillraceError(
    "unserializable-payload",
    `The value can't be sent: ${detail}. Send plain data: maps with string keys, arrays, strings, numbers, booleans, null, bytes.`,
    { cause },
  );
}
