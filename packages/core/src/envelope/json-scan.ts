import { TooManyValues } from "./measure-body.ts";
import { pathOf, wideInteger } from "./value-path.ts";

/** A number that would be altered, with its place. */
export class AlteredNumber extends Error {}

/**
 * Refuses the bytes of a JSON text, before anything is made of it, that hold more values than may
 * be, nest deeper than may be, or have a number that would be altered in silence: a whole one
 * beyond 2^53, or one that is beyond all numbers. What is no JSON is the parser's to report.
 *
 * @param areExact false where this program wrote the numbers itself, so that none is altered
 * @returns how many values it holds, keys of maps among them; a little off where it is no JSON
 * @throws Error whose message says what is wrong, and where: an `AlteredNumber`, or another
 */
export function scanJson(
  bytes: Uint8Array,
  maxValues: number,
  maxDepth: number,
  areExact = true,
): number {
  const { length } = bytes;
  let values = 1;
  let depth = 1;
  /**
   * The last byte that means something was an opening one: the next begins a first entry, or closes
   * an empty list or map.
   */
  let opened = false;
  for (let at = 0; at < length; at += 1) {
    const byte = bytes[at] as number;
    if (byte <= SPACE) continue;
    if (opened && byte !== LIST_END && byte !== MAP_END) {
      values += 1;
      if (depth > maxDepth) throw new Error(`the body nests deeper than ${maxDepth} levels`);
    }
    opened = false;
    if (byte === QUOTE) at = endOfText(bytes, at);
    else if (byte === COMMA || byte === COLON) values += 1;
    else if (byte === LIST || byte === MAP) {
      opened = true;
      depth += 1;
    } else if (byte === LIST_END || byte === MAP_END) depth -= 1;
    else if (byte === MINUS || (byte >= ZERO && byte <= NINE)) {
      const end = endOfNumber(bytes, at);
      // Fifteen digits are always exact; an exponent may be too large.
      if (areExact && (end - at > 15 || (end - at > 3 && hasExponent(bytes, at, end))))
        requireExact(bytes, at, end);
      at = end - 1;
    }
    if (values > maxValues) throw new TooManyValues(maxValues);
  }
  return values;
}

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const LIST = 0x5b;
const BACKSLASH = 0x5c;
const LIST_END = 0x5d;
const MAP = 0x7b;
const MAP_END = 0x7d;

/** @returns where its closing quote stands, or the end of the bytes */
function endOfText(bytes: Uint8Array, from: number): number {
  let at = from + 1;
  for (; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at += 1;
  }
  return at;
}

/** @returns the place behind it */
function endOfNumber(bytes: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < bytes.length && NUMBER[bytes[at] as number] === 1) at += 1;
  return at;
}

/** Digits, sign, point and exponent. */
const NUMBER = new Uint8Array(256);
for (const char of "0123456789+-.eE") NUMBER[char.charCodeAt(0)] = 1;

function hasExponent(bytes: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at < end; at += 1) if (((bytes[at] as number) | 0x20) === 0x65) return true;
  return false;
}

function requireExact(bytes: Uint8Array, from: number, end: number): void {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, end - from).toString("latin1");
  const value = Number(text);
  // No number: the parser says so.
  if (Number.isNaN(value)) return;
  if (!Number.isFinite(value))
    throw new AlteredNumber(`${jsonPath(bytes, from)} is beyond all numbers`);
  if (/^-?\d+$/.test(text) && !Number.isSafeInteger(value))
    throw new AlteredNumber(wideInteger(jsonPath(bytes, from)));
}

/** Where in the text a byte stands, as `payload.items[3].id`. Only asked for an error. */
function jsonPath(bytes: Uint8Array, until: number): string {
  const places: (string | number)[] = [];
  let key = "";
  for (let at = 0; at < until; at += 1) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      const end = endOfText(bytes, at);
      key = Buffer.from(bytes.buffer, bytes.byteOffset + at + 1, end - at - 1).toString();
      at = end;
    } else if (byte === COLON) places[places.length - 1] = key;
    else if (byte === LIST) places.push(0);
    else if (byte === MAP) places.push("");
    else if (byte === LIST_END || byte === MAP_END) places.pop();
    else if (byte === COMMA) {
      const last = places.at(-1);
      if (typeof last === "number") places[places.length - 1] = last + 1;
    }
  }
  return pathOf(places);
}
