import type { MsgHdrs } from "@nats-io/nats-core";
import { MillraceError } from "../errors.ts";

/** Header names as they are on the wire, each with one value. */
export type HeaderRecord = Readonly<Record<string, string>>;

const PREAMBLE = "NATS/1.0\r\n";
const NAME = /^[\x21-\x39\x3b-\x7e]+$/;
/**
 * Names repeat from message to message: each is checked once. Bounded, because names come from
 * users too.
 */
const checkedNames = new Set<string>();
const MAX_CHECKED_NAMES = 256;

/** @throws MillraceError `invalid-header` where a name or value would break out of its line. */
export function encodeHeaders(headers: HeaderRecord): Uint8Array {
  let text = PREAMBLE;
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    if (!checkedNames.has(name)) checkName(name);
    if (value.includes("\n") || value.includes("\r")) {
      throw new MillraceError(
        "invalid-header",
        `The value of header "${name}" contains a line break. Remove it, or encode the value.`,
      );
    }
    text += `${name}: ${value}\r\n`;
  }
  return Buffer.from(`${text}\r\n`);
}

/** Whether a header of this name can be sent. */
export function isHeaderName(name: string): boolean {
  return NAME.test(name);
}

function checkName(name: string): void {
  if (!isHeaderName(name)) {
    throw new MillraceError(
      "invalid-header",
      `"${name}" can't be a header's name: use visible ASCII characters without a colon.`,
    );
  }
  if (checkedNames.size < MAX_CHECKED_NAMES) checkedNames.add(name);
}

/**
 * Header bytes in the one shape `publish` of nats-core 3.4 asks of `headers`: it calls `encode()`
 * and nothing else unless `traceOnly` or `traceDestination` are given, which this package never
 * does.
 */
export function rawHeaders(bytes: Uint8Array): MsgHdrs {
  return new RawHeaders(bytes) as unknown as MsgHdrs;
}

class RawHeaders {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  encode(): Uint8Array {
    return this.bytes;
  }
}
