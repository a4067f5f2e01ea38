import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MillraceError } from "../errors/millrace-error.ts";
import { type BodyFormat, heldPayload, MAX_DEPTH } from "./body.ts";
import { type Envelope, UNSETTLED } from "./envelope.ts";
import { HeldValue } from "./plain-encoder.ts";
import { writeEnvelope } from "./write-envelope.ts";

const envelope: Envelope = {
  ...UNSETTLED,
  id: "a",
  name: "n",
  queue: "q",
  payload: null,
  createdAt: 1_700_000_000_000,
  headers: {},
};
const write = (payload: unknown, maxValues = 100_000, format: BodyFormat = "msgpack"): unknown => {
  try {
    const rules = { maxValues, exact: true, wellFormed: true };
    return Buffer.from(writeEnvelope({ ...envelope, payload }, format, rules)).toString("hex");
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    return `${error.code} ${error.message}`;
  }
};

test("a payload that is held is written as it would have been, byte for byte", () => {
  const toJson = fc.string().map((text) => ({ toJSON: () => ({ text }) }));
  const leaf = fc.oneof(fc.jsonValue(), fc.uint8Array(), fc.date({ noInvalidDate: true }), toJson);
  const payload = fc.oneof(leaf, fc.array(leaf), fc.dictionary(fc.string(), leaf));
  fc.assert(
    fc.property(payload, fc.integer({ min: 1, max: 60 }), (value, maxValues) => {
      expect(write(heldPayload(value))).toBe(write(value));
      expect(write(heldPayload(value), maxValues)).toBe(write(value, maxValues));
    }),
  );
});

test("nor is it another as JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const json = write(heldPayload(value), 100_000, "json");
      expect(json).toBe(write(value, 100_000, "json"));
    }),
  );
});

const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);

test("where more values may be sent, more are held, and no more than those", () => {
  const value = { list: Array.from({ length: 150_000 }, () => 1) };
  const held = heldPayload(value, 500_000);
  expect(held).toBeInstanceOf(HeldValue);
  expect(write(held, 500_000)).toBe(write(value, 500_000));
  expect(write(held)).toBe(write(value));
  expect(heldPayload(value, 150_000)).toBe(value);
});

describe("what can't be sent is refused for the same reason", () => {
  const circle: unknown[] = [];
  circle.push(circle);
  test.each([
    ["a Map deep in it", { items: [{ seen: new Map() }] }],
    ["half a character", { text: "\u{d83d}" }],
    ["a wide whole number", [2 ** 60]],
    ["a cycle", circle],
    ["a level too many", nested(MAX_DEPTH - 1)],
    ["too many values", Array.from({ length: 200_000 }, () => 0)],
    ["a getter that throws", Object.defineProperty({}, "x", { enumerable: true, get: fail })],
  ])("%s", (_what, value) => {
    const refusal = write(value);
    expect(refusal).toMatch(/^(unserializable-payload|payload-too-large) /);
    expect(write(heldPayload(value))).toBe(refusal);
  });

  test("and as many levels as may be are taken", () => {
    const value = nested(MAX_DEPTH - 2);
    expect(heldPayload(value)).toBeInstanceOf(HeldValue);
    expect(write(heldPayload(value))).toBe(write(value));
  });
});

function fail(): never {
  throw new Error("no");
}

test("a value that is changed after it was held is sent as it was", () => {
  for (const make of [() => ({ n: 1, list: [1] }), () => ({ n: 1, list: [1], at: new Date(0) })]) {
    const value = make();
    const held = heldPayload(value);
    value.n = 2;
    value.list.push(2);
    expect(write(held)).toBe(write(make()));
  }
});
