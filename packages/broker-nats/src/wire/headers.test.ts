import { headers as natsHeaders, type Msg, MsgHdrsImpl } from "@nats-io/nats-core";
import { MsgImpl } from "@nats-io/nats-core/internal";
import { expect, test } from "vitest";
import { encodeHeaders } from "./headers.ts";
import { readHeaders, readStatus } from "./read-headers.ts";

/** A message as nats-core makes it of what the parser hands over. */
function received(block: Uint8Array, body = "body"): Msg {
  const data = new Uint8Array([...block, ...new TextEncoder().encode(body)]);
  return new MsgImpl(
    { subject: new Uint8Array(), sid: 1, hdr: block.length || -1, size: data.length },
    data,
    undefined as never,
  ) as Msg;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("what is encoded, nats-core reads and the reader reads", () => {
  const record = {
    "Nats-Msg-Id": "a:1",
    traceparent: "00-ab-cd-01",
    "x-name": "Zoë – ✓",
    empty: "",
  };
  const encoded = encodeHeaders(record);
  const theirs = MsgHdrsImpl.decode(encoded);
  for (const [name, value] of Object.entries(record)) expect(theirs.get(name)).toBe(value);
  expect({ ...readHeaders(received(encoded)) }).toEqual({
    "nats-msg-id": "a:1",
    traceparent: "00-ab-cd-01",
    "x-name": "Zoë – ✓",
    empty: "",
  });
  expect({ ...readHeaders(received(Buffer.from(encoded))) }).toEqual({
    ...readHeaders(received(encoded)),
  });
});

test("what nats-core encodes, the reader reads, first value first", () => {
  const theirs = natsHeaders();
  theirs.append("A", "1");
  theirs.append("A", "2");
  theirs.append("Content-Type", "application/json");
  expect({ ...readHeaders(received((theirs as MsgHdrsImpl).encode())) }).toEqual({
    a: "1",
    "content-type": "application/json",
  });
});

test.each([
  ["a line break in a value", { x: "a\r\nNats-Rollup: all" }],
  ["a bare line feed", { x: "a\nb" }],
  ["a colon in a name", { "a:b": "c" }],
  ["a space in a name", { "a b": "c" }],
  ["a line break in a name", { "a\r\nb": "c" }],
  ["an empty name", { "": "c" }],
])("%s is refused", (_what, record) => {
  expect(() => encodeHeaders(record)).toThrow(expect.objectContaining({ code: "invalid-header" }));
});

test.each([
  ["no headers", "", {}],
  ["no space after the colon", "NATS/1.0\r\na:b\r\n\r\n", { a: "b" }],
  [
    "names of the object prototype",
    "NATS/1.0\r\nconstructor: x\r\n__proto__: y\r\n\r\n",
    { constructor: "x", ["__proto__"]: "y" },
  ],
  ["a line without a colon", "NATS/1.0\r\nnonsense\r\na: b\r\n\r\n", { a: "b" }],
  ["a bare line feed in a value", "NATS/1.0\r\na: b\nc\r\n\r\n", { a: "b c" }],
  ["a name that can't be sent on", "NATS/1.0\r\nGrüße: 1\r\na b: 2\r\nc: 3\r\n\r\n", { c: "3" }],
  ["a block cut short", "NATS/1.0\r\na: b", {}],
  [
    "a status with a header",
    "NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 3\r\n\r\n",
    { "nats-pending-messages": "3" },
  ],
])("reads %s", (_what, block, expected) => {
  expect(Object.entries(readHeaders(received(bytes(block))))).toEqual(Object.entries(expected));
});

test.each([
  ["", 0, ""],
  ["NATS/1.0\r\na: b\r\n\r\n", 0, ""],
  ["NATS/1.0 503\r\n\r\n", 503, ""],
  ["NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 1\r\n\r\n", 100, "Idle Heartbeat"],
  ["NATS/1.0 409 Consumer Deleted\r\n\r\n", 409, "Consumer Deleted"],
])("the status of %j", (block, code, description) => {
  const msg = received(bytes(block));
  expect(readStatus(msg)).toEqual({ code, description });
});

test("where nats-core's internals are gone, its public headers are read", () => {
  const theirs = natsHeaders(408, "Request Timeout");
  theirs.append("Nats-Pending-Messages", "3");
  const msg = { headers: theirs } as unknown as Msg;
  expect({ ...readHeaders(msg) }).toEqual({ "nats-pending-messages": "3" });
  expect(readStatus(msg)).toEqual({ code: 408, description: "Request Timeout" });
});
