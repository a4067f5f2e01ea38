import { isUtf8 } from "node:buffer";

/**
 * Counts the values of msgpack bytes, keys of maps among them, without making any. Refuses bytes in
 * which a list or map claims more entries than there are bytes left for, or that hold more values
 * than may be.
 *
 * The library makes room for a list before it reads the entries, so five bytes can ask for
 * gigabytes, and nested ones for all memory there is; and an empty map of one byte takes seventy in
 * memory. One message would take down every node that is given it.
 *
 * @returns the values that were found up to where the bytes end, or the value does: what is wrong
 *   there is the decoder's to report
 * @throws Error whose message says what is wrong with the bytes
 */
export function measureBody(bytes: Uint8Array, maxValues: number): number {
  return measureValue(viewOf(bytes), 0, maxValues).values;
}

/** A value within msgpack bytes, and how many values it holds. */
interface MeasuredValue {
  /** Where it ends; past the bytes where they end within it. */
  readonly end: number;
  readonly values: number;
}

/** As `measureBody`, of the value that begins at `from`. */
function measureValue(view: DataView, from: number, maxValues: number): MeasuredValue {
  const size = view.byteLength;
  let at = from;
  let values = 0;
  let awaited = 1;
  for (; awaited > 0 && at < size; values += 1) {
    const { length, entries } = measure(view, at);
    at += length;
    awaited += entries - 1;
    // An entry takes a byte at least.
    if (entries > 0 && awaited > size - at)
      throw new Error("a list or map claims more entries than the body has bytes for");
    if (values + awaited >= maxValues) throw new TooManyValues(maxValues);
  }
  return { end: awaited === 0 ? at : Infinity, values };
}

/** A field's value as it stands in msgpack bytes. */
export interface FieldBytes {
  readonly bytes: Uint8Array;
  /** How many there are in it, keys of maps among them. */
  readonly values: number;
}

/**
 * Finds a field of the map that msgpack bytes hold, without making any value. Of several of its
 * name the last counts, as for who reads them.
 *
 * @returns undefined where there is none, where the bytes are no map, or where they end early; and
 *   where a text in it, or a name, is not UTF-8: a decoder reads such a text into what follows it
 */
export function fieldBytes(bytes: Uint8Array, name: string): FieldBytes | undefined {
  const view = viewOf(bytes);
  if (bytes.length === 0 || !isMap(view.getUint8(0))) return undefined;
  const { length, entries } = measure(view, 0);
  const wanted = new TextEncoder().encode(name);
  let found: FieldBytes | undefined;
  let at = length;
  for (let left = entries; left > 0; left -= 2) {
    const key = measureValue(view, at, Infinity).end;
    if (key >= bytes.length) return undefined;
    const { end, values } = measureValue(view, key, Infinity);
    if (end > bytes.length || !hasUtf8Texts(view, at, key)) return undefined;
    if (isText(view, at, wanted)) found = { bytes: bytes.subarray(key, end), values };
    at = end;
  }
  return found !== undefined && hasUtf8Texts(viewOf(found.bytes)) ? found : undefined;
}

function hasUtf8Texts(view: DataView, start = 0, end = view.byteLength): boolean {
  for (let at = start; at < end;) {
    const begin = textBegin(view.getUint8(at));
    const { length } = measure(view, at);
    const from = view.byteOffset + at;
    if (begin !== undefined && !isUtf8(new Uint8Array(view.buffer, from + begin, length - begin)))
      return false;
    at += length;
  }
  return true;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isMap(head: number): boolean {
  return (head >= 0x80 && head <= 0x8f) || head === 0xde || head === 0xdf;
}

/** Where the bytes of a text begin, after its head, by that. */
const TEXT_HEADS: Readonly<Record<number, number>> = { 0xd9: 2, 0xda: 3, 0xdb: 5 };

function textBegin(head: number): number | undefined {
  return head >= 0xa0 && head <= 0xbf ? 1 : TEXT_HEADS[head];
}

/** Whether the value that begins at `at` is this text. */
function isText(view: DataView, at: number, text: Uint8Array): boolean {
  const begin = textBegin(view.getUint8(at));
  if (begin === undefined || measure(view, at).length !== begin + text.length) return false;
  return text.every((byte, n) => view.getUint8(at + begin + n) === byte);
}

/** Why a value can't be sent that is what it should be, but for its size. */
export class TooLarge extends Error {}

/** A body would be too much in memory: the same in each format, and on both sides. */
export class TooManyValues extends TooLarge {
  constructor(maxValues: number) {
    super(`it holds more than ${maxValues} values, keys of maps included (maxValues)`);
  }
}

const ARRAY_16 = 0xdc;
const ARRAY_32 = 0xdd;

interface Measure {
  /** Bytes of the header, and of the content where that is no list or map. */
  readonly length: number;
  /** Values that follow as content. */
  readonly entries: number;
}

/** Content lengths of the formats 0xc0 to 0xdf that have a fixed one. */
const FIXED: Readonly<Record<number, number>> = {
  0xca: 4,
  0xcb: 8,
  0xcc: 1,
  0xcd: 2,
  0xce: 4,
  0xcf: 8,
  0xd0: 1,
  0xd1: 2,
  0xd2: 4,
  0xd3: 8,
  0xd4: 2,
  0xd5: 3,
  0xd6: 5,
  0xd7: 9,
  0xd8: 17,
};

function measure(view: DataView, at: number): Measure {
  const head = view.getUint8(at);
  if (head >= 0x80 && head <= 0x8f) return { length: 1, entries: 2 * (head & 0x0f) };
  if (head >= 0x90 && head <= 0x9f) return { length: 1, entries: head & 0x0f };
  if (head >= 0xa0 && head <= 0xbf) return { length: 1 + (head & 0x1f), entries: 0 };
  switch (head) {
    case 0xc4:
    case 0xd9:
      return content(view, at, 1, 0);
    case 0xc5:
    case 0xda:
      return content(view, at, 2, 0);
    case 0xc6:
    case 0xdb:
      return content(view, at, 4, 0);
    case 0xc7:
      return content(view, at, 1, 1);
    case 0xc8:
      return content(view, at, 2, 1);
    case 0xc9:
      return content(view, at, 4, 1);
    case ARRAY_16:
      return { length: 3, entries: unsigned(view, at + 1, 2) };
    case ARRAY_32:
      return { length: 5, entries: unsigned(view, at + 1, 4) };
    case 0xde:
      return { length: 3, entries: 2 * unsigned(view, at + 1, 2) };
    case 0xdf:
      return { length: 5, entries: 2 * unsigned(view, at + 1, 4) };
    default:
      return { length: 1 + (FIXED[head] ?? 0), entries: 0 };
  }
}

/**
 * A string, bytes or extension: its length stands in `size` bytes, and an extension's type in one
 * more.
 */
function content(view: DataView, at: number, size: 1 | 2 | 4, typeBytes: 0 | 1): Measure {
  return { length: 1 + size + typeBytes + unsigned(view, at + 1, size), entries: 0 };
}

function unsigned(view: DataView, at: number, size: 1 | 2 | 4): number {
  if (at + size > view.byteLength) return 0;
  return size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at) : view.getUint32(at);
}
