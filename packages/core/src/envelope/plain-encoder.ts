import { fieldBesideEntries } from "./list-fields.ts";
import { isWideInteger } from "./value-path.ts";

/**
 * A value as it was when somebody handed it over, and as it will be sent: its owner may change the
 * object before the message that carries it is written.
 */
export class HeldValue {
  /** Msgpack. */
  readonly bytes: Uint8Array;
  /** How many there are in it, keys of maps among them. */
  readonly values: number;
  readonly #read: (bytes: Uint8Array) => unknown;

  constructor(bytes: Uint8Array, values: number, read: (bytes: Uint8Array) => unknown) {
    this.bytes = bytes;
    this.values = values;
    this.#read = read;
  }

  /** For who can't take the bytes over. */
  toJSON(): unknown {
    return this.#read(this.bytes);
  }
}

/**
 * Msgpack bytes of plain data: maps with string keys, lists, strings, numbers, booleans, null.
 * Anything else is left to the library, which also reports what can't be encoded.
 *
 * An envelope or a history record is encoded for every job, and the library spends most of that
 * counting the bytes of strings; writing first and fixing the length afterwards takes half the time
 * (`docs/decisions/speed.md`). What it writes is what the library writes, byte for byte, for all
 * well-formed text; a property test compares them.
 */
export class PlainEncoder {
  #bytes = scratch(POOL_BYTES);
  /**
   * Where the value that is being written begins; before it lie the bytes of earlier ones, which
   * their owners may still hold.
   */
  #start = 0;
  #at = 0;
  #busy = false;
  /** Values and keys that may still come. */
  #room = 0;
  #most = 0;
  #exact = false;
  #wellFormed = false;
  readonly #maxDepth: number;

  /** @param maxDepth deeper values are left to the library, which refuses them */
  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
  }

  /**
   * @param maxValues as many values, keys of maps among them, are written: what holds more is left
   *   to who refuses it
   * @param exact whether a whole number beyond 2^53 is left to who refuses it, too
   * @param wellFormed the same of text with half a character, and of fields beside a list's entries
   * @returns undefined where the value is not plain
   */
  encode(
    value: unknown,
    maxValues = Infinity,
    exact = false,
    wellFormed = false,
  ): Uint8Array | undefined {
    // A getter of the value may encode something itself.
    if (this.#busy || areAllObjectsGivenFields()) return undefined;
    this.#busy = true;
    this.#room = this.#most = maxValues;
    this.#exact = exact;
    this.#wellFormed = wellFormed;
    this.#at = this.#start;
    try {
      return this.#write(value, 1) ? this.#take() : undefined;
    } finally {
      if (this.#bytes.length > MOST_POOL_BYTES) this.#beginPool();
      this.#busy = false;
    }
  }

  /** How many values the last one held that was encoded. */
  get values(): number {
    return this.#most - this.#room;
  }

  /** @returns false where something is not plain; what was written before it is then worthless */
  #write(value: unknown, depth: number): boolean {
    if (depth > this.#maxDepth || --this.#room < 0) return false;
    switch (typeof value) {
      case "string":
        return this.#text(value);
      case "number":
        return this.#number(value);
      case "boolean":
        this.#byte(value ? 0xc3 : 0xc2);
        return true;
      case "object":
        if (value === null) {
          this.#byte(0xc0);
          return true;
        }
        return Array.isArray(value) ? this.#list(value, depth) : this.#map(value, depth);
      default:
        return false;
    }
  }

  #map(value: object, depth: number): boolean {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null)
      return value instanceof HeldValue && this.#held(value);
    const fields = value as Readonly<Record<string, unknown>>;
    const most = this.#room / 2;
    let size = 0;
    // No `Object.keys`: its list would be as large as what is written.
    for (const key in fields) if (fields[key] !== undefined && ++size > most) return false;
    if (!this.#header(size, 0x80, 0xde)) return false;
    this.#room -= size;
    for (const key in fields) {
      const field = fields[key];
      if (field === undefined) continue;
      size -= 1;
      if (key === "__proto__" || !this.#text(key)) return false;
      if (!this.#write(field, depth + 1)) return false;
    }
    // A getter may have changed its object meanwhile.
    return size === 0;
  }

  /** It was held to all that may be asked of it but their number. */
  #held({ bytes, values }: HeldValue): boolean {
    this.#room -= values - 1;
    if (this.#room < 0) return false;
    this.#need(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return true;
  }

  #list(value: readonly unknown[], depth: number): boolean {
    // A class of lists may say by a `toJSON` what it is sent as.
    if (Object.getPrototypeOf(value) !== Array.prototype) return false;
    // A list of millions is not read through to be refused.
    if (value.length > this.#room || !this.#header(value.length, 0x90, 0xdc)) return false;
    // What was read has none.
    if (this.#wellFormed && fieldBesideEntries(value) !== undefined) return false;
    for (const entry of value) {
      // The library writes a hole or an undefined of a list as null.
      if (!this.#write(entry === undefined ? null : entry, depth + 1)) return false;
    }
    return true;
  }

  #header(size: number, short: number, long: number): boolean {
    if (size > 0xffff) return false;
    if (size < 16) this.#byte(short | size);
    else {
      this.#byte(long);
      this.#uint16(size);
    }
    return true;
  }

  #number(value: number): boolean {
    if (!Number.isSafeInteger(value)) {
      if (this.#exact && isWideInteger(value)) return false;
      this.#byte(0xcb);
      this.#need(8);
      this.#at = this.#bytes.writeDoubleBE(value, this.#at);
      return true;
    }
    if (value < 0) this.#negative(value);
    else if (value < 0x80) this.#byte(value);
    else if (value < 0x100) {
      this.#byte(0xcc);
      this.#byte(value);
    } else if (value < 0x1_0000) {
      this.#byte(0xcd);
      this.#uint16(value);
    } else if (value < UINT32) {
      this.#byte(0xce);
      this.#uint32(value);
    } else {
      this.#byte(0xcf);
      this.#uint32(Math.floor(value / UINT32));
      this.#uint32(value % UINT32);
    }
    return true;
  }

  #negative(value: number): void {
    if (value >= -0x20) this.#byte(value & 0xff);
    else if (value >= -0x80) {
      this.#byte(0xd0);
      this.#byte(value & 0xff);
    } else if (value >= -0x8000) {
      this.#byte(0xd1);
      this.#uint16(value & 0xffff);
    } else if (value >= -0x8000_0000) {
      this.#byte(0xd2);
      this.#uint32(value >>> 0);
    } else {
      this.#byte(0xd3);
      this.#uint32(Math.floor(value / UINT32) >>> 0);
      this.#uint32(((value % UINT32) + UINT32) % UINT32);
    }
  }

  /**
   * Takes the text for ASCII, where a character is a byte, and writes it anew where it turns out
   * not to be.
   *
   * @returns false where half a character would become another one
   */
  #text(value: string): boolean {
    this.#need(MAX_TEXT_HEADER + 3 * value.length);
    const begin = this.#at;
    this.#textHeader(value.length);
    const written = this.#characters(value);
    if (written === value.length) return true;
    if (this.#wellFormed && !value.isWellFormed()) return false;
    this.#at = begin;
    this.#textHeader(written);
    this.#at += this.#bytes.utf8Write(value, this.#at);
    return true;
  }

  /** @returns the bytes it took */
  #characters(value: string): number {
    const bytes = this.#bytes;
    const { length } = value;
    let at = this.#at;
    if (length <= SHORT_TEXT) {
      for (let i = 0; i < length; i += 1) {
        const code = value.charCodeAt(i);
        if (code >= 0x80) return bytes.utf8Write(value, this.#at);
        bytes[at++] = code;
      }
      this.#at = at;
      return length;
    }
    const written = bytes.utf8Write(value, at);
    this.#at += written;
    return written;
  }

  #textHeader(bytes: number): void {
    if (bytes < 32) this.#byte(0xa0 | bytes);
    else if (bytes < 0x100) {
      this.#byte(0xd9);
      this.#byte(bytes);
    } else if (bytes < 0x1_0000) {
      this.#byte(0xda);
      this.#uint16(bytes);
    } else {
      this.#byte(0xdb);
      this.#uint32(bytes);
    }
  }

  #byte(value: number): void {
    this.#need(1);
    this.#bytes[this.#at++] = value;
  }

  #uint16(value: number): void {
    this.#need(2);
    this.#bytes[this.#at++] = value >>> 8;
    this.#bytes[this.#at++] = value & 0xff;
  }

  #uint32(value: number): void {
    this.#need(4);
    this.#at = this.#bytes.writeUInt32BE(value, this.#at);
  }

  /** Where the pool is used up, the value that is being written moves into the next one. */
  #need(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const begun = this.#bytes.subarray(this.#start, this.#at);
    this.#bytes = scratch(Math.max(POOL_BYTES, 2 * (begun.length + more)));
    this.#bytes.set(begun);
    this.#start = 0;
    this.#at = begun.length;
  }

  /**
   * A pool that a large value took is not shared: each of thousands of small results would keep all
   * of it, and a structured clone, as for a thread, copies all that is behind a result.
   */
  #beginPool(): void {
    this.#bytes = scratch(POOL_BYTES);
    this.#start = this.#at = 0;
  }

  #take(): Uint8Array {
    const taken = new Uint8Array(
      this.#bytes.buffer,
      this.#bytes.byteOffset + this.#start,
      this.#at - this.#start,
    );
    this.#start = this.#at;
    return taken;
  }
}

const UINT32 = 2 ** 32;
/**
 * Results share a pool, because an ArrayBuffer for each keeps the collector busy. Small, because
 * one result that is kept keeps all of its pool.
 */
const POOL_BYTES = 16_384;
/** Of a pool that later values share. */
const MOST_POOL_BYTES = 4 * POOL_BYTES;
const MAX_TEXT_HEADER = 5;
/** Up to here a loop is faster than a call into the engine. */
const SHORT_TEXT = 24;

/**
 * Node has had this method since its first Buffers, and its types leave it out; `write()` ends
 * there after checks that cost more than the copy.
 */
interface Scratch extends Buffer<ArrayBuffer> {
  utf8Write(text: string, offset: number): number;
}

function scratch(bytes: number): Scratch {
  return Buffer.allocUnsafeSlow(bytes) as Scratch;
}

/** Whether all objects were given fields: a loop over an object's own would give them too. */
function areAllObjectsGivenFields(): boolean {
  for (const _field in Object.prototype) return true;
  return false;
}
