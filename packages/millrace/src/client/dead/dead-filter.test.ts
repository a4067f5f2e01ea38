import type { StoredDeadLetter } from "@millrace/core";
import { createMask } from "@millrace/telemetry/masking";
import { expect, test } from "vitest";
import { parseDeadFilter } from "./dead-filter.ts";

const NOW = Date.parse("2030-01-01T12:00:00Z");
const LETTER: StoredDeadLetter = {
  id: "order-7",
  name: "mail.welcome",
  queue: "mail",
  reason: "attempts-exhausted",
  attempts: 5,
  error: { type: "TimeoutError", message: 'Bank "A" refused: (connection reset)' },
  at: Date.parse("2030-01-01T11:00:00Z"),
  node: "n1",
  body: new Uint8Array(),
  headers: {},
  sequence: 1,
};
const BARE: StoredDeadLetter = {
  id: "x",
  queue: "mail",
  reason: "undecodable",
  attempts: 0,
  at: 0,
  node: "n1",
  body: new Uint8Array(),
  headers: {},
  sequence: 2,
};

test.each([
  ["name=mail.welcome", true],
  ["name=mail.*", true],
  ["name=*.welcome", true],
  ["name=mail", false],
  ["name=mailxwelcome", false],
  ["name!=mail.*", false],
  ["id=order-* queue=mail reason=attempts-exhausted node=n1", true],
  ["id=order-* queue=other", false],
  ["state=dead name=mail.*", true],
  ["state:succeeded OR id=x", false],
  ["error=TimeoutError", true],
  ["error=timeouterror", false],
  ["message~REFUSED", true],
  ["message!~refused", false],
  ["fingerprint=56018de970cf", true],
  ["fingerprint:56018de970cf OR id=x", true],
  ["fingerprint!=56018de970cf", false],
  ["fingerprint=000000000000", false],
  ['message~"(connection reset)"', true],
  ["message~'connection reset'", true],
  ['message~"bank \\"a\\""', true],
  ['  message~"refused"   attempts>=5  ', true],
  ["attempts>5", false],
  ["attempts=5", true],
  ["attempts!=5", false],
  ["attempts<6", true],
  ["attempts<=4", false],
  ["age<2h", true],
  ["age<59m", false],
  ["age>=1h", true],
  ["at>2030-01-01T10:00Z", true],
  ["at<2030-01-01T10:00Z", false],
])("%s: %s", (filter, expected) =>
  expect(parseDeadFilter(filter, NOW, createMask())(LETTER)).toBe(expected),
);

test("what a letter does not know is an empty text", () => {
  expect(parseDeadFilter("name=* error!=TimeoutError message!~x", NOW, createMask())(BARE)).toBe(
    true,
  );
  expect(parseDeadFilter("message~x", NOW, createMask())(BARE)).toBe(false);
});

test.each([
  ["", "at least one term"],
  ["   ", "at least one term"],
  ["name=a (", "a term such as"],
  ["name=", "a term such as"],
  ["name=a  )nonsense", "got )nonsense at character 9"],
  ["constructor=x", "one of the fields"],
  ['message~"open', "a term such as"],
  ['message~"a"b', "a term such as"],
  [" colour=red", "one of the fields id, name, queue"],
  [" colour=red", "at character 2"],
  ["attempts~5", "after a number's field"],
  ["attempts>many", "a whole number"],
  ["name>mail", "after a text's field"],
  ["age<soon", "a duration"],
  ["at>whenever", "a time such as"],
])("%j is refused: %s", (filter, message) => {
  expect(() => parseDeadFilter(filter, NOW, createMask())).toThrow(
    expect.objectContaining({
      code: "invalid-filter",
      message: expect.stringContaining(message) as string,
    }),
  );
});

test.each([
  ["-message~4111", false],
  ["message!~4111", false],
  ["-4111", false],
  ["-payload.card=4111111111111111", false],
  ["payload.card!=4111111111111111", false],
  ["-payload~4111", false],
  ["-payload.customer:8", true],
  ["-name:other", true],
])("a letter is taken in by %s, where a mask hides a card in it: %s", (filter, expected) => {
  const card = "4111111111111111";
  const letter = {
    ...LETTER,
    error: { type: "Declined", message: `no money on ${card}` },
    body: new TextEncoder().encode(JSON.stringify({ payload: { card, customer: 7 } })),
    headers: { "content-type": "application/json" },
  };
  expect(parseDeadFilter(filter, NOW, createMask())(letter)).toBe(expected);
});

test.each([
  ["-message~4111", false],
  ["message!~4111", false],
  ["-4111", false],
  ["-error:4111*", false],
  ["message~money", true],
  ["-message~money", false],
])("and by %s, where its node has masked it: %s", (filter, expected) => {
  const letter = { ...LETTER, error: { type: "Declined-***", message: "no money on ***" } };
  expect(parseDeadFilter(filter, NOW, createMask())(letter)).toBe(expected);
});

test("a letter's payload and message are masked once, however many terms ask for them", () => {
  const mask = createMask();
  let [payloads, texts] = [0, 0];
  const counting = Object.assign((value: unknown) => ((payloads += 1), mask(value)), mask, {
    text: (given: string): string => ((texts += 1), mask.text(given)),
  });
  const terms = Array.from({ length: 20 }, (_, n) => `-payload.a:${n} -message~m${n} -w${n}x`);
  const fits = parseDeadFilter(terms.join(" "), NOW, counting);
  const body = new TextEncoder().encode(JSON.stringify({ payload: { customer: 7 } }));
  const headers = { "content-type": "application/json" };
  expect(fits({ ...LETTER, body, headers })).toBe(true);
  expect([payloads, texts]).toEqual([1, 1]);
});

test("of a letter that can't be read, nobody says that something is not in it", () => {
  const fits = parseDeadFilter("-payload.customer:42", NOW, createMask());
  expect(fits(BARE)).toBe(false);
  const body = new TextEncoder().encode(JSON.stringify({ name: "without its payload" }));
  expect(fits({ ...BARE, body, headers: { "content-type": "application/json" } })).toBe(false);
});
