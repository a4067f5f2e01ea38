import { createMask, MASKED } from "@millrace/telemetry/masking";
import { expect, test } from "vitest";
import { FoldedText } from "./folded-text.ts";
import { parseFilter } from "./filter-test.ts";
import { NOW, type Thing, THING_FIELDS } from "./filter.fixture.ts";
import { seePayload } from "./seen-payload.ts";

const mask = createMask();

function fits(filter: string, payload: unknown, id = "order-7"): boolean {
  const thing: Thing = { id, payload, at: NOW, attempts: 0 };
  return parseFilter(filter, NOW, THING_FIELDS)(thing);
}

/** As a client that masks looks at it. */
function fitsMasked(filter: string, payload: unknown): boolean {
  const thing: Thing = { id: "order-7", payload, at: NOW, attempts: 0 };
  const fields = {
    ...THING_FIELDS,
    payload: ({ payload }: Thing) => seePayload(mask(payload), payload),
  };
  return parseFilter(filter, NOW, fields)(thing);
}

const items = Array.from({ length: 600 }, (_, n) => ({ sku: `sku-${n}`, qty: n }));

test.each([
  "-payload.paid:true",
  "payload.paid!=true",
  "payload!~true",
  "-payload:true",
  "-true",
  "-payload.total>5",
  "-(payload.paid:true OR id:nobody)",
])("%s takes in no job for what lies beyond the first 1,000 values of its payload", (filter) => {
  expect(fits(filter, { items, paid: true })).toBe(false);
  expect(fitsMasked(filter, { items, paid: true })).toBe(false);
});

test.each([
  ["payload.items.sku:sku-3", true],
  ["-payload.items.sku:sku-3", false],
  ["sku-499", true],
  ["-id:nobody", true],
  ["payload.paid:true", false],
])("of a payload that is only looked at in part, %s: %s", (filter, expected) => {
  expect(fits(filter, { items, paid: true })).toBe(expected);
});

test("of one with 1,000 values, all is known", () => {
  const payload = { list: Array.from({ length: 999 }, () => 1), paid: false };
  expect(fits("-payload.paid:true -payload.list:2 -other", payload)).toBe(true);
});

test("lists and maps that hold nothing are not walked for ever", () => {
  const payload = { list: Array.from({ length: 1_000_000 }, () => []), paid: true };
  expect(seePayload(payload)).toMatchObject({ leaves: [], isCut: true });
  expect(fits("-payload.paid:true", payload)).toBe(false);
});

test.each([
  ["payload.due:2031*", true],
  ["-payload.due:2031*", false],
  ["payload.due!=2031-05-06T07:08:09.000Z", false],
  ["payload.due~05-06t07", true],
  ["-payload.due:2032*", true],
  ['payload.photo:"(1000000 bytes)"', true],
  ['-payload.photo:"(1000000 bytes)"', false],
  // What stands behind the bytes is as well known.
  ["-payload.paid:true", false],
  ["-payload.paid:false", true],
  ["payload.paid:true", true],
])("times and bytes in a payload are asked for as they are shown: %s: %s", (filter, expected) => {
  const due = new Date("2031-05-06T07:08:09Z");
  const payload = { due, photo: new Uint8Array(1_000_000), paid: true };
  expect(fits(filter, payload)).toBe(expected);
  expect(fitsMasked(filter, payload)).toBe(expected);
  // As an index has it.
  expect(fits(filter, JSON.parse(JSON.stringify(mask(payload))))).toBe(expected);
});

test("a time that is none is no reason to fail", () => {
  expect(fits("payload.due:null", { due: new Date(Number.NaN) })).toBe(true);
});

test("to see what a mask hides, each value is met once", () => {
  const payload = { photo: new Uint8Array(1_000_000), card: "4111111111111111", n: [1, { a: 2 }] };
  const seen = seePayload(mask(payload), payload);
  expect(seen.leaves.map(({ path }) => path)).toEqual(["photo", "card", "n", "n.a"]);
  expect([...seen.hidden]).toEqual(["card"]);
});

test.each([
  ["-payload.card:5*", false],
  ["-payload.auth.token.of:x", false],
  ["-payload.auth.user:bob", true],
  ["-payload.byNumber.4111111111111111:1", false],
  ["-payload.byNumber.a:1", false],
  ["-payload.customer:8", true],
])("what a mask hides may be anything: %s: %s", (filter, expected) => {
  const payload = {
    ...{ card: "4111111111111111", auth: { token: { of: "y" }, user: "ada" }, customer: 7 },
    byNumber: { "4111111111111111": 2 },
  };
  expect(fitsMasked(filter, payload)).toBe(expected);
  expect(fits(filter, JSON.parse(JSON.stringify(mask(payload))))).toBe(expected);
});

test.each([
  ["-id~secret", false],
  ["id!~secret", false],
  ["-secret", false],
  ["id=for-*", true],
  ["-id~for", false],
  ["for-", true],
  // The mark itself is no part of what was there.
  ['id~"*"', false],
  ['"**"', false],
])("of a text that was masked when it was stored, %s: %s", (filter, expected) => {
  expect(fits(filter, null, "for-***-b")).toBe(expected);
});

test("the mask's mark is known as such", () => {
  expect(new FoldedText(`pw ${MASKED}`).isMasked).toBe(true);
  expect(new FoldedText("2 ** 3").isMasked).toBe(false);
});

test.each([
  ["payload.n>9007199254740992", true],
  ["payload.n>=9007199254740993", true],
  ["payload.n>9007199254740993", false],
  ["payload.n<9007199254740994", true],
  ["payload.n<=9007199254740992", false],
  ["payload.n<9007199254740993.5", true],
  ["payload.n>1e15", true],
  ["payload.n<1e300", true],
])("a whole number that is written as a text is not rounded: %s: %s", (filter, expected) => {
  expect(fits(filter, { n: "9007199254740993" })).toBe(expected);
});

test("a number of a million digits takes no time", () => {
  expect(fits("payload.n>5", { n: "7".repeat(1_000_000) })).toBe(true);
});
