import type { Msg } from "@nats-io/nats-core";
import { MAX_HEADERS } from "@millrace/core/basics";
import { isHeaderName } from "./headers.ts";

/**
 * Headers of a received message by lower-case name; of a repeated header the first value. Only what
 * can be sent on: a hand-written client gets any bytes past the server, and a job whose headers
 * can't be published again could neither be retried nor buried.
 */
export type ReceivedHeaders = Record<string, string>;

/**
 * A status line: what the server sends in place of a message (`408 Request Timeout`). Code 0 means
 * an ordinary message.
 */
export interface MessageStatus {
  readonly code: number;
  readonly description: string;
}

/** No prototype: a header named `constructor` or `__proto__` is a header like any other. */
const noHeaders = (): ReceivedHeaders => ({ __proto__: null }) as unknown as ReceivedHeaders;
const EMPTY: ReceivedHeaders = Object.freeze(noHeaders());
const ORDINARY: MessageStatus = Object.freeze({ code: 0, description: "" });
const STATUS_START = "NATS/1.0".length;
const decoder = new TextDecoder();
/**
 * Names repeat from message to message: each is judged once. `undefined` for one that can't be sent
 * on.
 */
const lowerNames = new Map<string, string | undefined>();
const MAX_LOWER_NAMES = 256;
/**
 * More are not made strings. A message with fewer is refused already by whoever reads its envelope.
 */
const MOST_HEADERS = MAX_HEADERS + 200;
/** What is cut out of a longer block must not keep all of it in memory. */
const LONG_BLOCK = 16_384;

/**
 * nats-core 3.4 keeps a message as received in these two; where they are missing its own (slower)
 * headers are read.
 */
interface MsgInternals {
  readonly _msg?: { readonly hdr: number };
  readonly _rdata?: Uint8Array;
}

export function readHeaders(msg: Msg): ReceivedHeaders {
  const block = headerBlock(msg);
  return block === undefined ? fromNatsHeaders(msg) : parseHeaders(block);
}

export function readStatus(msg: Msg): MessageStatus {
  const block = headerBlock(msg);
  if (block === undefined)
    return msg.headers === undefined
      ? ORDINARY
      : { code: msg.headers.code, description: msg.headers.description };
  if (block.charCodeAt(STATUS_START) !== 32) return ORDINARY;
  const line = block.slice(STATUS_START + 1, block.indexOf("\r\n"));
  return {
    code: Number.parseInt(line, 10) || 0,
    description: line.slice(line.indexOf(" ") + 1 || line.length),
  };
}

/**
 * The last value of each header: what a server appends to a stored message stands behind what its
 * producer wrote, who may have used the same names. Names as they are on the wire.
 */
export function readAppended(msg: Msg, names: readonly string[]): readonly (string | undefined)[] {
  const block = headerBlock(msg);
  if (block === undefined) return names.map((name) => msg.headers?.values(name).at(-1));
  return names.map((name) => {
    const start = block.lastIndexOf(`\r\n${name}: `);
    if (start < 0) return undefined;
    const value = start + name.length + 4;
    return block.slice(value, block.indexOf("\r\n", value));
  });
}

/**
 * A message's headers and body as they came, for a search. Where nats-core keeps them otherwise,
 * the body alone and the headers' text.
 */
export function rawBytes(msg: Msg): Buffer {
  const { _rdata } = msg as MsgInternals;
  if (_rdata !== undefined) return Buffer.from(_rdata.buffer, _rdata.byteOffset, _rdata.byteLength);
  const headers = Object.values(readHeaders(msg)).join("\n");
  return Buffer.concat([Buffer.from(headers), msg.data]);
}

function headerBlock(msg: Msg): string | undefined {
  const { _msg, _rdata } = msg as MsgInternals;
  if (_msg === undefined || _rdata === undefined) return undefined;
  if (_msg.hdr <= 0) return "";
  return Buffer.isBuffer(_rdata)
    ? _rdata.toString("utf8", 0, _msg.hdr)
    : decoder.decode(_rdata.subarray(0, _msg.hdr));
}

/**
 * @param block as it came, whoever wrote it: takes time by its length, lines without a colon
 *   included, and throws never
 */
export function parseHeaders(block: string): ReceivedHeaders {
  let start = block.indexOf("\r\n") + 2;
  if (start < 2) return EMPTY;
  const headers = noHeaders();
  const isLong = block.length > LONG_BLOCK;
  // The next one, on whichever line: looked for once, however many lines have none.
  let colon = 0;
  for (let kept = 0; kept < MOST_HEADERS;) {
    const end = block.indexOf("\r\n", start);
    if (end <= start) return headers;
    if (colon < start) colon = nextColon(block, start);
    if (colon > start && colon < end) {
      const written = block.slice(start, colon);
      const name = lowerName(isLong ? copyOf(written) : written);
      if (name !== undefined && headers[name] === undefined) {
        kept += 1;
        headers[name] = inOneLine(
          block.slice(block.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1, end),
        );
      }
    }
    start = end + 2;
  }
  return headers;
}

function nextColon(block: string, from: number): number {
  const colon = block.indexOf(":", from);
  return colon === -1 ? Number.POSITIVE_INFINITY : colon;
}

/** A part of a string keeps the whole of it in memory. */
function copyOf(part: string): string {
  return Buffer.from(part).toString();
}

function lowerName(name: string): string | undefined {
  if (lowerNames.has(name)) return lowerNames.get(name);
  const lower = isHeaderName(name) ? name.toLowerCase() : undefined;
  if (lowerNames.size < MAX_LOWER_NAMES) lowerNames.set(name, lower);
  return lower;
}

function inOneLine(value: string): string {
  return value.includes("\n") || value.includes("\r") ? value.replace(/[\r\n]+/g, " ") : value;
}

function fromNatsHeaders(msg: Msg): ReceivedHeaders {
  const headers = noHeaders();
  for (const [name, values] of msg.headers ?? []) {
    const lower = lowerName(name);
    if (lower !== undefined) headers[lower] ??= inOneLine(values[0] ?? "");
  }
  return headers;
}
