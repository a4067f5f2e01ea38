import type { Msg } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { RETRY } from "../requests/in-flight-request.ts";
import { judgePubAck } from "./pub-ack.ts";

const reply = (text: string): Msg =>
  ({ string: () => text, data: new TextEncoder().encode(text) }) as unknown as Msg;

test.each([
  ['{"stream":"Q","seq":7}', { stream: "Q", sequence: 7, duplicate: false, attempts: 2 }],
  ['{"stream":"Q", "seq":7}', { stream: "Q", sequence: 7, duplicate: false, attempts: 2 }],
  [
    '{"stream":"Q","domain":"hub","seq":7,"duplicate":true}',
    { stream: "Q", sequence: 7, duplicate: true, attempts: 2 },
  ],
])("%s is a confirmation", (text, expected) => {
  expect(judgePubAck(reply(text), "s", 2)).toEqual(expected);
});

test("what is remembered of one stream's confirmations is not taken for another's", () => {
  const ack = (text: string): unknown => judgePubAck(reply(text), "s", 1);
  const stored = (stream: string, sequence: number) => ({
    stream,
    sequence,
    duplicate: false,
    attempts: 1,
  });
  expect(ack('{"stream":"A","seq":1}')).toEqual(stored("A", 1));
  expect(ack('{"stream":"A","seq":12}')).toEqual(stored("A", 12));
  expect(ack('{"stream":"AB","seq":3}')).toEqual(stored("AB", 3));
  expect(ack('{"stream":"A","seq":4}')).toEqual(stored("A", 4));
  expect(ack('{"stream":"A","seq":5,"duplicate":true}')).toMatchObject({ duplicate: true });
  expect(ack('{"stream":"Ä","seq":6}')).toEqual(stored("Ä", 6));
});

test("a duplicate without a sequence proves nothing yet", () => {
  expect(judgePubAck(reply('{"stream":"Q","seq":0,"duplicate":true}'), "s", 1)).toBe(RETRY);
});

test.each([
  "null",
  "7",
  "[]",
  "no JSON",
  '{"error":null}',
  '{"stream":"Q"}',
  '{"stream":1,"seq":2}',
])("%s is no confirmation: somebody else answers", (text) => {
  expect(judgePubAck(reply(text), "s", 1)).toMatchObject({ code: "broker-rejected" });
});

test.each([
  [10077, "maximum messages exceeded", "queue-full"],
  [10077, "no space left on device", "broker-unavailable"],
  [10054, "message size exceeds maximum allowed", "payload-too-large"],
  [10099, "something else", "broker-rejected"],
])("error %i (%s) is %s", (code, description, expected) => {
  const text = JSON.stringify({ error: { code: 503, err_code: code, description } });
  expect(judgePubAck(reply(text), "s", 1)).toMatchObject({ code: expected });
});
