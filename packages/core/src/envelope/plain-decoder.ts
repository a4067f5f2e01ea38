/** What the decoder answers for bytes that it leaves to the library. */
export const NOT_PLAIN: unique symbol = Symbol("not plain");

/**
 * The value of msgpack bytes that hold plain data: maps with string keys, lists, strings, numbers,
 * booleans, null, bytes. Anything else, and anything that is wrong, is left to the library, which
 * also says what it is.
 *
 * Every job's envelope is read here. The library makes a list of the characters of every string,
 * and what must be refused (`measure-body.ts`, too deep a nesting, a key `__proto__`) takes two
 * more walks over the bytes and the value; here it is one (`docs/decisions/speed.md`). What it
 * answers is what the library answers; a property test compares them.
 */
export class PlainDecoder {
  readonly #maxDepth: number;
  readonly #keys = new KeyCache();
  /** Values and keys that may still come. */
  #room = 0;
  #bytes: Uint8Array = NO_BYTES;
  #view: DataView | undefined;
  #at = 0;

  /** @param maxDepth deeper values are left to who refuses them */
  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
  }

  /**
   * @param maxValues as many values, keys of maps among them, are read: what holds more is left to
   *   who refuses it. A list or map that claims more is not even begun, because an empty map of one
   *   byte takes seventy in memory
   */
  decode(bytes: Uint8Array, maxValues: number): unknown {
    this.#room = maxValues;
    this.#bytes = bytes;
    this.#view = undefined;
    this.#at = 0;
    const value = this.#read(1);
    const whole = this.#at === bytes.length;
    // Nothing keeps a message's bytes alive but the message.
    this.#bytes = NO_BYTES;
    this.#view = undefined;
    return whole ? value : NOT_PLAIN;
  }

  /** Values that the last one may still have held: what it was given less what it took. */
  get room(): number {
    return this.#room;
  }

  #read(depth: number): unknown {
    if (this.#at >= this.#bytes.length) return NOT_PLAIN;
    if (--this.#room < 0) return NOT_PLAIN;
    const head = this.#bytes[this.#at++] as number;
    if (head < 0x80) return head;
    if (head < 0x90) return this.#map(head & 0x0f, depth);
    if (head < 0xa0) return this.#list(head & 0x0f, depth);
    if (head < 0xc0) return this.#text(head & 0x1f);
    if (head >= 0xe0) return head - 0x100;
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#binary(this.#count(1));
      case 0xc5:
        return this.#binary(this.#count(2));
      case 0xc6:
        return this.#binary(this.#count(4));
      case 0xca:
        return this.#fixed(4, (view, at) => view.getFloat32(at));
      case 0xcb:
        return this.#fixed(8, (view, at) => view.getFloat64(at));
      case 0xcc:
        return this.#unsigned(1);
      case 0xcd:
        return this.#unsigned(2);
      case 0xce:
        return this.#unsigned(4);
      case 0xcf:
        return this.#safe((view, at) => view.getUint32(at) * UINT32 + view.getUint32(at + 4));
      case 0xd0:
        return this.#fixed(1, (view, at) => view.getInt8(at));
      case 0xd1:
        return this.#fixed(2, (view, at) => view.getInt16(at));
      case 0xd2:
        return this.#fixed(4, (view, at) => view.getInt32(at));
      case 0xd3:
        return this.#safe((view, at) => view.getInt32(at) * UINT32 + view.getUint32(at + 4));
      case 0xd9:
        return this.#text(this.#count(1));
      case 0xda:
        return this.#text(this.#count(2));
      case 0xdb:
        return this.#text(this.#count(4));
      case 0xdc:
        return this.#list(this.#count(2), depth);
      case 0xdd:
        return this.#list(this.#count(4), depth);
      case 0xde:
        return this.#map(this.#count(2), depth);
      case 0xdf:
        return this.#map(this.#count(4), depth);
      default:
        return NOT_PLAIN;
    }
  }

  #map(size: number, depth: number): unknown {
    // An entry takes two bytes at least; a level deeper than the limit is refused, and an empty map
    // has none.
    if (2 * size > this.#left || 2 * size > this.#room || (size > 0 && depth >= this.#maxDepth))
      return NOT_PLAIN;
    const map: Record<string, unknown> = {};
    for (let i = 0; i < size; i += 1) {
      const key = this.#key();
      if (key === undefined) return NOT_PLAIN;
      const value = this.#read(depth + 1);
      if (value === NOT_PLAIN) return NOT_PLAIN;
      map[key] = value;
    }
    return map;
  }

  #list(size: number, depth: number): unknown {
    if (size > this.#left || size > this.#room || (size > 0 && depth >= this.#maxDepth))
      return NOT_PLAIN;
    const list: unknown[] = [];
    for (let i = 0; i < size; i += 1) {
      const value = this.#read(depth + 1);
      if (value === NOT_PLAIN) return NOT_PLAIN;
      list.push(value);
    }
    return list;
  }

  /** @returns undefined for a key that is no short string, or one that would reach a prototype */
  #key(): string | undefined {
    const head = this.#bytes[this.#at] ?? 0;
    const length = head - 0xa0;
    if (length < 0 || length > 0x1f || length >= this.#left) return this.#longKey(head);
    if (--this.#room < 0) return undefined;
    const start = this.#at + 1;
    this.#at = start + length;
    const key = this.#keys.find(this.#bytes, start, length);
    return key === "__proto__" ? undefined : key;
  }

  #longKey(head: number): string | undefined {
    if (head !== 0xd9 && head !== 0xda) return undefined;
    const key = this.#read(1);
    return typeof key === "string" && key !== "__proto__" ? key : undefined;
  }

  #text(length: number): unknown {
    if (length > this.#left) return NOT_PLAIN;
    const start = this.#at;
    this.#at += length;
    return textOf(this.#bytes, start, this.#at) ?? NOT_PLAIN;
  }

  #binary(length: number): unknown {
    if (length > this.#left) return NOT_PLAIN;
    const start = this.#at;
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  get #left(): number {
    return this.#bytes.length - this.#at;
  }

  /** A length or count; more than can be there where the bytes end before it does. */
  #count(size: 1 | 2 | 4): number {
    const value = this.#unsigned(size);
    return typeof value === "number" ? value : Number.POSITIVE_INFINITY;
  }

  #unsigned(size: 1 | 2 | 4): unknown {
    if (size > this.#left) return NOT_PLAIN;
    let value = 0;
    for (let i = 0; i < size; i += 1) value = value * 256 + (this.#bytes[this.#at++] as number);
    return value;
  }

  /** An integer that a number can't hold exactly is left to who refuses it. */
  #safe(read: (view: DataView, at: number) => number): unknown {
    const value = this.#fixed(8, read);
    return Number.isSafeInteger(value) ? value : NOT_PLAIN;
  }

  #fixed(size: 1 | 2 | 4 | 8, read: (view: DataView, at: number) => number): unknown {
    if (size > this.#left) return NOT_PLAIN;
    const { buffer, byteOffset, byteLength } = this.#bytes;
    this.#view ??= new DataView(buffer, byteOffset, byteLength);
    const at = this.#at;
    this.#at += size;
    return read(this.#view, at);
  }
}

const NO_BYTES = new Uint8Array(0);
const UINT32 = 2 ** 32;
const REPLACEMENT = "\uFFFD";

/**
 * Node has had these on every Buffer since its first ones, they take any bytes, and its types leave
 * them out.
 */
const { utf8Slice } = Buffer.prototype as unknown as {
  utf8Slice(this: Uint8Array, start: number, end: number): string;
};

/**
 * @returns undefined where a character may have been no UTF-8: decoders differ in what they make of
 *   it
 */
function textOf(bytes: Uint8Array, start: number, end: number): string | undefined {
  const text = utf8Slice.call(bytes, start, end);
  return text.includes(REPLACEMENT) ? undefined : text;
}

/**
 * The same few keys come with every message: each is made a string once. Keys are users' too, so a
 * place that is taken is taken over.
 */
class KeyCache {
  readonly #bytes: (Uint8Array | undefined)[] = Array.from({ length: KEY_PLACES });
  readonly #texts: (string | undefined)[] = Array.from({ length: KEY_PLACES });

  find(bytes: Uint8Array, start: number, length: number): string | undefined {
    let place = length;
    for (let i = 0; i < length; i += 1) place = (place * 31 + (bytes[start + i] as number)) | 0;
    place &= KEY_PLACES - 1;
    const known = this.#bytes[place];
    if (known !== undefined && isAt(known, bytes, start, length)) return this.#texts[place];
    const text = textOf(bytes, start, start + length);
    this.#bytes[place] = bytes.slice(start, start + length);
    this.#texts[place] = text;
    return text;
  }
}

const KEY_PLACES = 256;

function isAt(known: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let i = 0; i < length; i += 1) if (known[i] !== bytes[start + i]) return false;
  return true;
}
