import { Encoder } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { encodeJson, encodeMsgpack } from "./body.ts";
import type { QueueMessage } from "./message.ts";
import { messageOf } from "./message.fixture.ts";
import { readEnvelope, type ReadResult } from "./read-envelope.ts";

const LEAST = { name: "mail.welcome", payload: null };

function read(body: unknown, more: Partial<QueueMessage> = {}): ReadResult {
  const [first, second] = [
    readEnvelope(messageOf(encodeMsgpack(body), more)),
    // As any other client writes it: ours refuses some of these.
    readEnvelope(messageOf(Buffer.from(JSON.stringify(body)), more)),
  ];
  expect(second).toEqual(first);
  return first;
}

function ok(result: ReadResult): Extract<ReadResult, { ok: true }>["envelope"] {
  if (!result.ok) throw new Error(result.error.message);
  return result.envelope;
}

describe("readEnvelope: what a producer may leave out", () => {
  test("name and payload are enough; the rest has its default", () => {
    expect(ok(read(LEAST))).toEqual({
      id: "mail-7",
      name: "mail.welcome",
      queue: "mail",
      payload: null,
      createdAt: 1_700_000_000_500,
      headers: {},
      attempts: 0,
      generation: 0,
      interruptions: 0,
      crashes: 0,
      snoozes: 0,
      sentFrom: "mail",
    });
  });

  test("who wrote it is what the door says, and what the runtime noted; never what a body says", () => {
    const body = { ...LEAST, sentFrom: "payments" };
    const from = (origin: "producer" | "program" | "runtime") => {
      const result = readEnvelope(messageOf(JSON.stringify(body), { origin }));
      return result.ok ? result.envelope.sentFrom : result.reason;
    };
    expect([from("producer"), from("program"), from("runtime")]).toEqual([
      "mail",
      undefined,
      "payments",
    ]);
  });

  test("null stands for an absent field", () => {
    const absent = {
      id: null,
      createdAt: null,
      notBefore: null,
      expiresAt: null,
      maxAttempts: null,
      timeoutMs: null,
      tags: null,
      uniqueKey: null,
      concurrencyKey: null,
      v: null,
    };
    expect(ok(read({ ...LEAST, ...absent }))).toEqual(ok(read(LEAST)));
  });

  test("the id is the body's, else the idempotency key, else made of queue and sequence", () => {
    const headers = { "nats-msg-id": "order-9" };
    expect(ok(read({ ...LEAST, id: "own" }, { headers })).id).toBe("own");
    expect(ok(read(LEAST, { headers })).id).toBe("order-9");
    expect(ok(read(LEAST)).id).toBe("mail-7");
  });

  test("an idempotency key that can't be an id is refused, and the letter gets the fallback", () => {
    const result = read(LEAST, { headers: { "nats-msg-id": "a key with spaces" } });
    expect(result).toMatchObject({
      ok: false,
      reason: "invalid-envelope",
      id: "mail-7",
      name: "mail.welcome",
    });
  });

  test("lane and headers come from the message; those with a meaning to the server stay behind", () => {
    const headers = {
      "nats-msg-id": "m",
      "nats-rollup": "all",
      "millrace-not-before": "1",
      "content-type": "application/json",
      traceparent: "00-1",
    };
    const envelope = ok(readEnvelope(messageOf(encodeJson(LEAST), { headers, lane: "low" })));
    expect([envelope.lane, envelope.headers]).toEqual(["low", { traceparent: "00-1" }]);
  });

  test("unknown fields are ignored", () => {
    expect(ok(read({ ...LEAST, colour: "red", queue: "elsewhere", headers: { a: 1 } }))).toEqual(
      ok(read(LEAST)),
    );
  });
});

describe("readEnvelope: settler fields", () => {
  const forged = {
    ...LEAST,
    attempts: 9,
    generation: 4,
    interruptions: 3,
    crashes: 2,
    snoozes: 1,
    firstError: { type: "a", message: "b" },
    lastError: { type: "a", message: "b" },
  };

  test("a producer can't forge them", () => {
    expect(ok(read(forged))).toEqual(ok(read(LEAST)));
    expect(ok(read({ ...LEAST, attempts: "many", firstError: 7 }))).toEqual(ok(read(LEAST)));
  });

  test("the runtime's own are read", () => {
    expect(ok(read(forged, { origin: "runtime" }))).toMatchObject(forged);
  });
});

describe("readEnvelope: what is wrong", () => {
  const secret = "s3cr3t";
  const long = "x".repeat(1_025);
  test.each<[string, Record<string, unknown>, string]>([
    ["no payload", { name: "a" }, "payload must be there (null is fine); got nothing"],
    ["no name", { payload: 1 }, "name must be"],
    ["a null name", { ...LEAST, name: null }, "got null"],
    ["an empty name", { ...LEAST, name: "" }, "name must be"],
    ["a name with a space", { ...LEAST, name: `a ${secret}` }, "got a string"],
    ["a name that is too long", { ...LEAST, name: "n".repeat(129) }, "name must be"],
    ["a name with two dots in a row", { ...LEAST, name: "a..b" }, "name must be"],
    ["an id with a slash", { ...LEAST, id: `a/${secret}` }, "id must be"],
    ["an id with a dot", { ...LEAST, id: "a.b" }, "id must be"],
    ["a number as id", { ...LEAST, id: 7 }, "id must be"],
    ["an empty id", { ...LEAST, id: "" }, "id must be"],
    [
      "createdAt as text",
      { ...LEAST, createdAt: `2026-01-01 ${secret}` },
      "createdAt must be epoch milliseconds, before the year 10000; got a string",
    ],
    ["a negative createdAt", { ...LEAST, createdAt: -1 }, "got a number out of range"],
    [
      "microseconds",
      { ...LEAST, notBefore: 1.7e15 },
      "notBefore must be epoch milliseconds, before the year 10000; got a number out of range",
    ],
    [
      "a time in the year 10000",
      { ...LEAST, expiresAt: Date.UTC(10_000, 0, 1) },
      "expiresAt must be epoch milliseconds, before the year 10000; got a number out of range",
    ],
    ["a fraction of a millisecond", { ...LEAST, expiresAt: 1.5 }, "expiresAt must be"],
    ["no attempts", { ...LEAST, maxAttempts: 0 }, "maxAttempts must be a whole number from 1"],
    ["half an attempt", { ...LEAST, maxAttempts: 1.5 }, "maxAttempts must be"],
    ["no time", { ...LEAST, timeoutMs: 0 }, "timeoutMs must be whole milliseconds from 1"],
    [
      "a list as uniqueKey",
      { ...LEAST, uniqueKey: [secret] },
      "uniqueKey must be a string of up to 1024 characters; got a list",
    ],
    ["a uniqueKey that is too long", { ...LEAST, uniqueKey: long }, "uniqueKey must be"],
    [
      "a map as concurrencyKey",
      { ...LEAST, concurrencyKey: { secret } },
      "concurrencyKey must be a string of up to 1024 characters; got a map",
    ],
    [
      "tags that are no list",
      { ...LEAST, tags: secret },
      "tags must be a list of up to 100 strings of up to 1024 characters; got a string",
    ],
    [
      "a tag that is no string",
      { ...LEAST, tags: ["a", 1] },
      "tags must be a list of up to 100 strings of up to 1024 characters; got a list",
    ],
    [
      "a parent without its queue",
      { ...LEAST, parent: { id: "job-1" } },
      "parent must be a map with the id and the queue of a job; got a map",
    ],
    [
      "a parent that is no map",
      { ...LEAST, parent: secret },
      "parent must be a map with the id and the queue of a job; got a string",
    ],
    ["a batch that is no id", { ...LEAST, batch: "a b" }, "batch must be"],
    ["a chain that is no list", { ...LEAST, next: { name: "a" } }, "next must be a list"],
    ["a link without a queue", { ...LEAST, next: [{ name: "a" }] }, "next must be a list"],
    [
      "a link in a lane that is none",
      { ...LEAST, next: [{ name: "a", queue: "q", lane: "top" }] },
      "next must be a list",
    ],
    [
      "a chain that is too long",
      { ...LEAST, next: Array.from({ length: 101 }, () => ({ name: "a", queue: "q" })) },
      "next must be a list of up to 100",
    ],
    ["version 0", { ...LEAST, v: 0 }, "v must be a whole number from 1"],
    ["a version as text", { ...LEAST, v: "1" }, "v must be a whole number from 1; got a string"],
    ["true as version", { ...LEAST, v: true }, "got a boolean"],
  ])("%s", (_, body, expected) => {
    const result = read(body);
    expect(result).toMatchObject({
      ok: false,
      reason: "invalid-envelope",
      error: { type: "invalid-envelope" },
    });
    expect(result.ok ? "" : result.error.message).toContain(expected);
    expect(JSON.stringify(result)).not.toContain(secret);
  });

  test.each<[string, Record<string, unknown>]>([
    ["attempts", { attempts: -1 }],
    ["attempts", { attempts: 1.5 }],
    ["attempts", { attempts: "1" }],
    ["generation", { generation: "x" }],
    ["interruptions", { interruptions: -3 }],
    ["crashes", { crashes: [] }],
    ["snoozes", { snoozes: {} }],
    ["firstError", { firstError: "it broke" }],
    ["firstError", { firstError: { type: 1, message: "m" } }],
    ["lastError", { lastError: { type: "t" } }],
  ])("a %s of the runtime's that can't be: %o", (field, more) => {
    const result = read({ ...LEAST, ...more }, { origin: "runtime" });
    expect(result).toMatchObject({ ok: false, reason: "invalid-envelope" });
    expect(result.ok ? "" : result.error.message).toMatch(new RegExp(`^${field} must be`));
  });

  test("a version from the future says so, with id and name", () => {
    const result = read({ ...LEAST, v: 2, id: "job-1" });
    expect(result).toMatchObject({
      ok: false,
      reason: "unsupported-version",
      id: "job-1",
      name: "mail.welcome",
    });
    expect(result.ok ? "" : result.error.message).toContain("Upgrade the nodes");
  });

  test.each<[string, Uint8Array | string, string]>([
    ["nothing", "", "the body is empty"],
    ["broken JSON", '{"name": "a", "payload": s3cr3t', "no valid JSON"],
    ["JSON that is no UTF-8", new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]), "no valid JSON in UTF-8"],
    ["a msgpack string", new Uint8Array([0xa1, 0x61]), "no map"],
    ["a msgpack list", new Uint8Array([0x90]), "no map"],
    ["a msgpack timestamp", new Uint8Array([0xd6, 0xff, 0, 0, 0, 0]), "no map"],
    ["two msgpack values", new Uint8Array([0x80, 0x80]), "can't be decoded"],
    ["a byte that msgpack never uses", new Uint8Array([0xc1]), "can't be decoded"],
    ["a text that claims 4 GB", new Uint8Array([0xdb, 0xff, 0xff, 0xff, 0xff]), "can't be decoded"],
    [
      "__proto__ in JSON",
      '{"name":"a","payload":{"deep":[{"__proto__":{"admin":true}}]}}',
      "__proto__",
    ],
    ["__proto__ at the top of JSON", '{"__proto__":{"name":"a","payload":1}}', "__proto__"],
    [
      "__proto__ in msgpack",
      Buffer.from("82a46e616d65a161a77061796c6f616481a95f5f70726f746f5f5f81a17801", "hex"),
      "__proto__",
    ],
    [
      "10,000 levels of lists in JSON",
      `{"name":"a","payload":${"[".repeat(10_000)}${"]".repeat(10_000)}}`,
      "deeper than 64",
    ],
    [
      "10,000 levels of maps in JSON",
      `{"name":"a","payload":${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}}`,
      "deeper than 64",
    ],
    ["10,000 levels of lists in msgpack", deepMsgpack([0x91]), "deeper than 64"],
    ["10,000 levels of maps in msgpack", deepMsgpack([0x81, 0xa1, 0x61]), "deeper than 64"],
  ])("%s is undecodable", (_, body, expected) => {
    const result = readEnvelope(
      messageOf(new Uint8Array(typeof body === "string" ? Buffer.from(body) : body)),
    );
    expect(result).toMatchObject({
      ok: false,
      reason: "undecodable",
      id: "mail-7",
      error: { type: "undecodable" },
    });
    expect(result.ok ? "" : result.error.message).toContain(expected);
    expect(JSON.stringify(result)).not.toContain("s3cr3t");
  });

  test("nothing a body holds reaches the prototype of all objects", () => {
    for (const text of [
      '{"name":"a","payload":{"__proto__":{"polluted":1}}}',
      '{"constructor":{"prototype":{"polluted":1}},"name":"a","payload":1}',
    ]) {
      readEnvelope(messageOf(text));
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("an undecodable body with an idempotency key keeps it as its id", () => {
    expect(readEnvelope(messageOf("{", { headers: { "nats-msg-id": "order-9" } }))).toMatchObject({
      ok: false,
      id: "order-9",
    });
  });
});

describe("readEnvelope: which format", () => {
  const json = encodeJson(LEAST);
  const msgpack = encodeMsgpack(LEAST);
  test.each<[string, Uint8Array, string | undefined, boolean]>([
    ["JSON by its first byte", json, undefined, true],
    ["JSON after white space", Buffer.concat([Buffer.from(" \r\n\t"), json]), undefined, true],
    ["msgpack by its first byte", msgpack, undefined, true],
    ["JSON by the header", json, "application/json; charset=utf-8", true],
    ["msgpack by the header, in capitals", msgpack, "Application/X-MsgPack", true],
    ["a header that means nothing", json, "text/plain", true],
    ["JSON that says it is msgpack", json, "application/msgpack", false],
    ["msgpack that says it is JSON", msgpack, "application/json", false],
  ])("%s", (_, body, contentType, readable) => {
    const headers: Record<string, string> =
      contentType === undefined ? {} : { "content-type": contentType };
    expect(readEnvelope(messageOf(new Uint8Array(body), { headers })).ok).toBe(readable);
  });

  test("numbers of 64 bits and integer keys are read as JavaScript has them", () => {
    const body = new Encoder().encode({ ...LEAST, payload: { 1: 2 ** 53 - 1 } });
    expect(ok(readEnvelope(messageOf(new Uint8Array(body)))).payload).toEqual({
      "1": Number.MAX_SAFE_INTEGER,
    });
  });
});

function deepMsgpack(level: readonly number[]): Uint8Array {
  const head = Buffer.from("82a46e616d65a161a77061796c6f6164", "hex");
  return new Uint8Array([...head, ...Array.from({ length: 10_000 }, () => level).flat(), 0xc0]);
}
