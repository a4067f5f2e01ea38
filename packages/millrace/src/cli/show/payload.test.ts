import { type DeadLetter, encodeMsgpack } from "@millrace/core";
import { expect, test } from "vitest";
import { payloadOf, showValue } from "./payload.ts";

function letter(body: Uint8Array): DeadLetter {
  return { id: "j", queue: "q", reason: "fatal", attempts: 1, at: 1, node: "n", body, headers: {} };
}

const secret = { to: "ada", apiKey: "k", bytes: new Uint8Array(2) };

test("a payload is masked by its keys, or shown as it is, with bytes as their length", () => {
  const body = encodeMsgpack({ name: "n", payload: secret });
  expect(payloadOf(letter(body), showValue(undefined))).toEqual({
    payload: { to: "ada", apiKey: "***", bytes: "(2 bytes)" },
  });
  expect(payloadOf(letter(body), showValue(true))).toEqual({
    payload: { to: "ada", apiKey: "k", bytes: "(2 bytes)" },
  });
});

test.each([[new Uint8Array([0xc1])], [encodeMsgpack([1])], [new Uint8Array()]])(
  "bytes that are no envelope are unreadable: %j",
  (body) => {
    expect(payloadOf(letter(body), showValue(true))).toHaveProperty("unreadable");
  },
);
