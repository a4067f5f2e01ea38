/** The room that is left, in characters; spent as a value is copied. */
export interface Room {
  left: number;
}

const MAX_DEPTH = 32;
/** What a number, a brace or a comma is taken for. */
const SMALL = 8;

/**
 * A copy of any value as plain JSON data, of about as many characters as there is room. What has no
 * room is left out whole and a note stands in its place: a text that were cut could show half a
 * secret that masking no longer recognizes. Takes time by the limit, not by the value's size. May
 * throw where the value's own getters do.
 */
export function boundedValue(value: unknown, room: Room): unknown {
  return copy(value, room, 0);
}

function copy(value: unknown, room: Room, depth: number): unknown {
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
  room.left -= SMALL;
  if (value === null) return null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if (depth >= MAX_DEPTH) return "(too deep)";
  return Array.isArray(value) ? copyList(value, room, depth) : copyMap(value, room, depth);
}

function copyText(text: string, room: Room): string {
  if (text.length > room.left) return `(${text.length} characters)`;
  room.left -= text.length + SMALL;
  return text.toWellFormed();
}

function copyList(list: readonly unknown[], room: Room, depth: number): unknown[] {
  const copied: unknown[] = [];
  for (const item of list) {
    if (room.left <= 0) {
      copied.push(`(${list.length - copied.length} more)`);
      break;
    }
    copied.push(copy(item, room, depth + 1) ?? null);
  }
  return copied;
}

function copyMap(map: object, room: Room, depth: number): object {
  const copied: [string, unknown][] = [];
  const keys = Object.keys(map);
  for (const [index, key] of keys.entries()) {
    room.left -= key.length + SMALL;
    if (room.left <= 0) {
      copied.push(["…", `(${keys.length - index} more)`]);
      break;
    }
    const item = copy((map as Record<string, unknown>)[key], room, depth + 1);
    if (item !== undefined) copied.push([key.toWellFormed(), item]);
  }
  // `fromEntries` defines keys, so that one called __proto__ stays a key.
  return Object.fromEntries(copied);
}
