import { DEFAULT_MAX_VALUES, type DeadLetter, encodeMsgpack } from "@millrace/core";
import { expect, test } from "vitest";
import { mergedPayload, oldPayloadAsJson } from "./old-payload.ts";

const LIMITS = { maxValues: DEFAULT_MAX_VALUES };

function letter(body: Uint8Array): DeadLetter {
  return { id: "j", queue: "q", reason: "fatal", attempts: 1, at: 1, node: "n", body, headers: {} };
}

/** As any program may have sent it. */
function sent(payload: unknown): DeadLetter {
  return letter(encodeMsgpack({ v: 1, id: "j", name: "n", payload }));
}

const refused = expect.objectContaining({ code: "invalid-payload" }) as Error;

test.each<[string, unknown]>([
  ["bytes", new Uint8Array(3)],
  ["a time", new Date(5)],
  ["NaN", Number.NaN],
  ["infinity", Number.POSITIVE_INFINITY],
  ["minus infinity", Number.NEGATIVE_INFINITY],
])("%s can't be edited as a text, wherever it stands, and stays when others change", (...of) => {
  const [, value] = of;
  for (const payload of [value, { value }, { list: [1, { deep: [value] }] }])
    expect(() => oldPayloadAsJson(sent(payload), LIMITS)).toThrow(refused);
  expect(mergedPayload(sent({ value, to: "nobody" }), { to: "ada" }, LIMITS)).toEqual({
    ...{ value, to: "ada" },
  });
});

test("a type that msgpack leaves to its users is kept, and no text", () => {
  const ext = "d5050102";
  const fields = `a576616c7565${ext}a2746fa66e6f626f6479`;
  const old = letter(Buffer.from(`81a77061796c6f616482${fields}`, "hex"));
  expect(() => oldPayloadAsJson(old, LIMITS)).toThrow(refused);
  const merged = mergedPayload(old, { to: "ada" }, LIMITS);
  expect(Buffer.from(encodeMsgpack(merged)).toString("hex")).toContain(ext);
});

test.each<[string, unknown]>([
  ["null", null],
  ["a text with half a character", "\ud800"],
  ["a large measure", 1e300],
  ["plain data", { a: [1, -0.5, null, true, { b: "c" }], d: {} }],
])("%s can be", (_what, payload) => {
  const body = Buffer.from(JSON.stringify({ name: "n", payload }));
  expect(oldPayloadAsJson(letter(body), LIMITS)).toEqual(payload);
  expect(JSON.parse(JSON.stringify(payload))).toEqual(payload);
});

test("a float as large as an id stays as it was sent, and is no change", () => {
  const measure = 2 ** 60;
  const old = sent({ measure, to: "nobody" });
  expect(mergedPayload(old, { to: "ada" }, LIMITS)).toEqual({ measure, to: "ada" });
  expect(() => mergedPayload(old, { measure: measure * 2 }, LIMITS)).toThrow(
    expect.objectContaining({ code: "unserializable-payload" }),
  );
});

test("a payload as large as its broker takes is merged, and not replaced", () => {
  const list = Array.from({ length: DEFAULT_MAX_VALUES + 1_000 }, () => 1);
  const old = letter(encodeMsgpack({ name: "n", payload: { list, n: 1 } }));
  expect(mergedPayload(old, { n: 2 }, { maxValues: 2 * DEFAULT_MAX_VALUES })).toEqual({
    ...{ list, n: 2 },
  });
  expect(() => mergedPayload(old, { n: 2 }, LIMITS)).toThrow(refused);
});

test("of what can't be read no part is changed; the whole is written anew", () => {
  for (const body of [new Uint8Array([0xc1]), new Uint8Array(), encodeMsgpack([1])]) {
    expect(oldPayloadAsJson(letter(body), LIMITS)).toBeNull();
    expect(() => mergedPayload(letter(body), {}, LIMITS)).toThrow(refused);
    expect(mergedPayload(letter(body), "anew", LIMITS)).toBe("anew");
  }
});
