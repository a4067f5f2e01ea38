import { types } from "node:util";
import { RefusedValue } from "@millrace/core";
import { UNREADABLE } from "../masking/foreign-object.ts";

/** The room that is left, in characters; spent as a value is copied. */
export interface Room {
  left: number;
}

const MAX_DEPTH = 32;
/** What a number, a brace or a comma is taken for. */
const SMALL = 8;

/**
 * A copy of any value as plain JSON data, of about as many characters as there is room: of an
 * object with a `toJSON` what that gives, as it is sent and stored. What has no room is left out
 * whole and a note stands in its place: a text that were cut could show half a secret that masking
 * no longer recognizes. Takes time by the limit, not by the value's size. May throw where the
 * value's own getters do.
 */
export function boundedValue(value: unknown, room: Room): unknown {
  return copy(value, room, { depth: 0, key: "" });
}

/**
 * The same text by itself, with no half characters. A part of a longer text keeps the whole of that
 * in memory.
 */
export function flatText(text: string): string {
  return Buffer.from(text).toString();
}

/** Where a value stands within the whole. */
interface Place {
  readonly depth: number;
  /** A `toJSON` is told. */
  readonly key: string;
}

/** @param mayConvert false for what a `toJSON` has given, which is not asked again */
function copy(value: unknown, room: Room, { depth, key }: Place, mayConvert = true): unknown {
  switch (typeof value) {
    case "string":
      return copyText(value, room);
    case "bigint":
      return copyText(value.toString(), room);
    case "number":
    case "boolean":
      room.left -= SMALL;
      return value;
    case "object":
      break;
    default:
      return undefined;
  }
  if (value instanceof RefusedValue) return copy(value.given ?? UNREADABLE, room, { depth, key });
  room.left -= SMALL;
  if (value === null) return null;
  if (types.isDate(value)) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value))
    return `(${value.byteLength} bytes)`;
  if (depth >= MAX_DEPTH) return "(too deep)";
  if (mayConvert && "toJSON" in value && typeof value.toJSON === "function")
    return copy(converted(value as Convertible, key), room, { depth: depth + 1, key }, false);
  if (types.isBoxedPrimitive(value))
    return copy(value.valueOf(), room, { depth: depth + 1, key }, false);
  if (Array.isArray(value)) return copyList(value, value.length, room, depth);
  if (types.isSet(value)) return copyList(value, value.size, room, depth);
  if (types.isMap(value)) return copyMap(namedEntries(value), value.size, room, depth);
  const keys = Object.keys(value);
  return copyMap(fieldsOf(value, keys), keys.length, room, depth);
}

interface Convertible {
  toJSON: (key: string) => unknown;
}

function converted(value: Convertible, key: string): unknown {
  try {
    return value.toJSON(key);
  } catch {
    return UNREADABLE;
  }
}

function copyText(text: string, room: Room): string {
  if (text.length > room.left) return `(${text.length} characters)`;
  room.left -= text.length + SMALL;
  return flatText(text);
}

function copyList(list: Iterable<unknown>, size: number, room: Room, depth: number): unknown[] {
  const copied: unknown[] = [];
  for (const item of list) {
    if (room.left <= 0) {
      copied.push(`(${size - copied.length} more)`);
      break;
    }
    copied.push(copy(item, room, { depth: depth + 1, key: String(copied.length) }) ?? null);
  }
  return copied;
}

/** Each is read when its turn comes: there may be far more than there is room for. */
function* fieldsOf(value: object, keys: readonly string[]): Iterable<[string, unknown]> {
  for (const key of keys) yield [key, (value as Record<string, unknown>)[key]];
}

/** A key that is no text is only named: it may be anything. */
function* namedEntries(map: ReadonlyMap<unknown, unknown>): Iterable<[string, unknown]> {
  for (const [key, value] of map)
    yield [typeof key === "object" || typeof key === "function" ? "(key)" : String(key), value];
}

function copyMap(
  entries: Iterable<[string, unknown]>,
  size: number,
  room: Room,
  depth: number,
): object {
  const copied: [string, unknown][] = [];
  let seen = 0;
  for (const [key, value] of entries) {
    room.left -= key.length + SMALL;
    if (room.left <= 0) {
      copied.push(["…", `(${size - seen} more)`]);
      break;
    }
    seen += 1;
    const item = copy(value, room, { depth: depth + 1, key });
    if (item !== undefined) copied.push([key.toWellFormed(), item]);
  }
  // `fromEntries` defines keys, so that one called __proto__ stays a key.
  return Object.fromEntries(copied);
}
