import { Buffer } from "node:buffer";

/** What goes over a connection. */
export interface Packet {
  readonly subject: string;
  /** Empty for none. */
  readonly reply: string;
  /** As on the wire, from `NATS/1.0` to the empty line. */
  readonly headers: Uint8Array | undefined;
  readonly data: Uint8Array;
}

export const NOTHING = new Uint8Array(0);
const START = "NATS/1.0";

export function packetOf(
  subject: string,
  data: Uint8Array | string,
  reply = "",
  headers?: Uint8Array,
): Packet {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  return { subject, reply, headers, data: bytes };
}

/** A message without a body that says a status, such as `404 No Messages`. */
export function statusPacket(
  subject: string,
  status: string,
  fields: readonly (readonly [string, string | number])[] = [],
): Packet {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return packetOf(subject, NOTHING, "", Buffer.from(`${START} ${status}\r\n${lines}\r\n`));
}

export type Fields = readonly (readonly [string, string])[];

export function fieldsOf(headers: Uint8Array | undefined): Fields {
  if (headers === undefined) return [];
  return Buffer.from(headers)
    .toString("utf8")
    .split("\r\n")
    .slice(1)
    .flatMap((line) => {
      const colon = line.indexOf(":");
      return colon < 1 ? [] : [[line.slice(0, colon), line.slice(colon + 1).trim()] as const];
    });
}

/** The first value of a header, by its exact name as servers look for it. */
export function fieldOf(headers: Uint8Array | undefined, name: string): string | undefined {
  if (headers === undefined) return undefined;
  const text = Buffer.from(headers.buffer, headers.byteOffset, headers.byteLength).toString(
    "latin1",
  );
  const at = text.indexOf(`\r\n${name}:`);
  if (at < 0) return undefined;
  const from = at + name.length + 3;
  return Buffer.from(text.slice(from, text.indexOf("\r\n", from)), "latin1")
    .toString("utf8")
    .trim();
}

export function withFields(headers: Uint8Array | undefined, more: Fields): Uint8Array {
  const before =
    headers === undefined ? `${START}\r\n` : Buffer.from(headers).toString("utf8").slice(0, -2);
  const lines = more.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.from(`${before}${lines}\r\n`);
}

export function blockOf(fields: Fields): Uint8Array {
  return withFields(undefined, fields);
}
