import type { DeadLetter } from "@millrace/core";
import { expect, test } from "vitest";
import { encodeHeaders } from "../wire/headers.ts";
import { readDeadLetter, writeDeadLetterHeaders } from "./dead-letter-headers.ts";

const MAX_PAYLOAD = 1_048_576;

function letterOf(more: Partial<DeadLetter> = {}): DeadLetter {
  return {
    id: "a:1",
    queue: "mail",
    reason: "fatal",
    attempts: 2,
    at: 5,
    node: "n",
    body: new Uint8Array([1]),
    headers: {},
    ...more,
  };
}

/** As they come back over the wire: names in lower case. */
function received(letter: DeadLetter): Record<string, string> {
  const written = writeDeadLetterHeaders(letter, MAX_PAYLOAD);
  encodeHeaders(written);
  return Object.fromEntries(
    Object.entries(written).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

test("a letter is read as it was written, whatever stands in its texts and headers", () => {
  const letter = letterOf({
    name: "mail.welcome",
    firstStoredAt: 1_700_000_000_000,
    unkeyed: 7,
    node: "line\r\nbreak",
    error: { type: "E", message: 'a\r\nNats-Rollup: all\r\n\r\n"ß🌊', stack: "at x" },
    firstError: { type: "F", message: "" },
    headers: {
      "nats-rollup": "all",
      "nats-msg-id": "theirs",
      "millrace-queue": "x",
      "content-type": "application/json",
      traceparent: "t",
    },
  });
  expect(readDeadLetter("mail", "a:1", letter.body, received(letter))).toEqual(letter);
});

test("no header of the job keeps a meaning for the server", () => {
  const names = Object.keys(
    writeDeadLetterHeaders(
      letterOf({
        headers: { "nats-rollup": "all", "nats-ttl": "1s", "nats-expected-stream": "x" },
      }),
      MAX_PAYLOAD,
    ),
  );
  expect(names.filter((name) => name.toLowerCase().startsWith("nats-"))).toEqual([]);
});

test("an error too long for its place loses its stack, then its length", () => {
  const long = { type: "E", message: "ß".repeat(1_024), stack: "s".repeat(2_048) };
  const { error } = readDeadLetter("q", "i", new Uint8Array(), received(letterOf({ error: long })));
  expect(error).toEqual({ type: "E", message: long.message });
  const first = readDeadLetter(
    "q",
    "i",
    new Uint8Array(),
    received(letterOf({ firstError: long })),
  ).firstError;
  expect([first?.message.length, first?.stack]).toEqual([128, undefined]);
});

test("an error keeps its fields before its stack, and loses them before its length", () => {
  const fields = { code: "card_declined", nested: { since: 1, list: ["ü", null] } };
  const whole = { type: "E", message: "m".repeat(500), stack: "s".repeat(2_048), fields };
  const read = (error: NonNullable<DeadLetter["error"]>): unknown =>
    readDeadLetter("q", "i", new Uint8Array(), received(letterOf({ error }))).error;
  expect(read(whole)).toEqual(whole);
  const { stack: _stack, ...bare } = { ...whole, message: "ß".repeat(1_024) };
  expect(read({ ...bare, stack: whole.stack })).toEqual(bare);
  expect(read({ ...bare, fields: { all: "ß".repeat(1_024) } })).not.toHaveProperty("fields");
});

test("a letter always fits into what the server takes, at the price of headers that would not, which are counted", () => {
  const headers = Object.fromEntries(
    Array.from({ length: 20_000 }, (_, index) => [`nats-${index}`, "x"]),
  );
  const body = new Uint8Array(700_000);
  const letter = letterOf({ body, headers, error: { type: "E", message: "ß".repeat(1_024) } });
  const written = writeDeadLetterHeaders(letter, MAX_PAYLOAD);
  expect(encodeHeaders(written).length + body.length).toBeLessThan(MAX_PAYLOAD);
  const kept = Object.keys(readDeadLetter("q", "i", body, received(letter)).headers).length;
  expect(kept + Number(written["Millrace-Headers-Dropped"])).toBe(20_000);
});

test("a letter's headers never take more than JetStream stores with a message, however small its body", () => {
  const lines = Array.from({ length: 60 }, (_, index) => [`x-${index}`, "v".repeat(1_080)]);
  const error = { type: "E", message: "ß".repeat(1_024) };
  const letter = letterOf({ headers: Object.fromEntries(lines), error, firstError: error });
  const written = writeDeadLetterHeaders(letter, MAX_PAYLOAD);
  const id = { "Nats-Msg-Id": `dead/${"q".repeat(64)}/${"i".repeat(128)}/${"o".repeat(128)}` };
  expect(encodeHeaders({ ...written, ...id }).length).toBeLessThanOrEqual(65_535);
  const kept = Object.keys(readDeadLetter("q", "i", letter.body, received(letter)).headers).length;
  expect([kept > 45, kept + Number(written["Millrace-Headers-Dropped"])]).toEqual([true, 60]);
});

test.each(["", "no json", "1", "{}", '{"type":1}'])(
  "an error header %j of another hand is shown as none",
  (text) => {
    expect(
      readDeadLetter("q", "i", new Uint8Array(), { "millrace-error": text }).error,
    ).toBeUndefined();
  },
);
