import type { Msg } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { RETRY } from "../exchange/exchange.ts";
import { judgePubAck } from "./pub-ack.ts";

const reply = (text: string): Msg => ({ string: () => text }) as unknown as Msg;

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

test("a duplicate without a sequence proves nothing yet", () => {
  expect(judgePubAck(reply('{"stream":"Q","seq":0,"duplicate":true}'), "s", 1)).toBe(RETRY);
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
