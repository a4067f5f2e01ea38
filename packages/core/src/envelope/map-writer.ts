import { Encoder } from "@msgpack/msgpack";
import { MAX_DEPTH } from "./body.ts";

/** Values that repeat from message to message (names, queues, states) are encoded once. Bounded, because names come from users too. */
const MAX_REMEMBERED = 1_024;
/** Longer strings are the library's business. */
const SHORT = 0xff;
const UINT32 = 2 ** 32;
const INITIAL_BYTES = 4_096;

/**
 * Writes a msgpack map whose keys are known beforehand: envelopes and history records, of which one or two go with
 * every job. The library encodes whatever stands in a user's value; the frame around it is put together from bytes
 * that were made once, which takes a third of the time (`docs/decisions/0008-map-writer.md`).
 *
 * Writes what the library would write, byte for byte; a test compares them.
 */
export class MapWriter {
  #bytes = scratch(INITIAL_BYTES);
  #at = 0;
  readonly #encoder = new Encoder({ ignoreUndefined: true, maxDepth: MAX_DEPTH - 1 });
  readonly #remembered = new Map<string, Uint8Array>();

  /** Begins a map of at most 15 fields. What was begun before and not taken is forgotten. */
  begin(fields: number): void {
    this.#at = 0;
    this.#bytes[this.#at++] = 0x80 | fields;
  }

  /** A field whose string repeats: the key and the value are looked up. */
  repeated(key: Uint8Array, value: string): void {
    this.raw(key);
    let bytes = this.#remembered.get(value);
    if (bytes === undefined) {
      bytes = this.#encoder.encode(value);
      if (this.#remembered.size < MAX_REMEMBERED) this.#remembered.set(value, bytes);
    }
    this.raw(bytes);
  }

  /** A field with a string of ASCII characters that was never seen before, such as an id. */
  ascii(key: Uint8Array, value: string): void {
    const { length } = value;
    if (length > SHORT) return this.value(key, value);
    this.raw(key);
    this.#need(length + 2);
    if (length < 32) this.#bytes[this.#at++] = 0xa0 | length;
    else {
      this.#bytes[this.#at++] = 0xd9;
      this.#bytes[this.#at++] = length;
    }
    this.#at += this.#bytes.latin1Write(value, this.#at);
  }

  /** A field with a whole number from 0. */
  count(key: Uint8Array, value: number): void {
    this.raw(key);
    this.#need(9);
    const bytes = this.#bytes;
    if (value < 0x80) bytes[this.#at++] = value;
    else if (value < 0x100) {
      bytes[this.#at++] = 0xcc;
      bytes[this.#at++] = value;
    } else if (value < 0x1_0000) {
      bytes[this.#at++] = 0xcd;
      this.#at = bytes.writeUInt16BE(value, this.#at);
    } else if (value < UINT32) {
      bytes[this.#at++] = 0xce;
      this.#at = bytes.writeUInt32BE(value, this.#at);
    } else {
      bytes[this.#at++] = 0xcf;
      this.#at = bytes.writeUInt32BE(Math.floor(value / UINT32), this.#at);
      this.#at = bytes.writeUInt32BE(value % UINT32, this.#at);
    }
  }

  /** A field with anything. @throws what the library throws for a value that msgpack can't carry */
  value(key: Uint8Array, value: unknown): void {
    this.raw(key);
    this.raw(this.#encoder.encodeSharedRef(value));
  }

  raw(bytes: Uint8Array): void {
    this.#need(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** The map's bytes, a copy of its own. */
  take(): Uint8Array {
    const copy = Buffer.allocUnsafe(this.#at);
    copy.set(this.#bytes.subarray(0, this.#at));
    return new Uint8Array(copy.buffer, copy.byteOffset, copy.byteLength);
  }

  #need(more: number): void {
    const wanted = this.#at + more;
    if (wanted <= this.#bytes.length) return;
    const larger = scratch(Math.max(wanted, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

/** Node has had this method since its first Buffers, and its types leave it out; `write(…, "latin1")` ends there after checks that cost more than the copy. */
interface Latin1Buffer extends Buffer<ArrayBuffer> {
  latin1Write(text: string, offset: number): number;
}

function scratch(bytes: number): Latin1Buffer {
  return Buffer.allocUnsafeSlow(bytes) as Latin1Buffer;
}

/** A key's bytes, made once by whoever writes it. */
export function mapKey(name: string): Uint8Array {
  return new Encoder().encode(name);
}
