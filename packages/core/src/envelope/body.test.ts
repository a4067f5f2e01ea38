import { describe, expect, test } from "vitest";
import { decodeBody, encodeJson, encodeMsgpack } from "./body.ts";

const circular: Record<string, unknown> = {};
circular["self"] = circular;

describe("encoding", () => {
  test.each<[string, unknown]>([
    ["a function", { run: () => 1 }],
    ["a symbol", { s: Symbol("x") }],
    ["a bigint", 10n],
    ["a cycle", circular],
    ["a nesting that is too deep", JSON.parse(`${"[".repeat(100)}${"]".repeat(100)}`)],
    [
      "a getter that throws",
      {
        get secret() {
          throw new Error("from the getter");
        },
      },
    ],
  ])("%s is refused in both formats", (_, value) => {
    for (const encode of [encodeMsgpack, encodeJson]) {
      expect(() => encode(value)).toThrow(
        expect.objectContaining({ code: "unserializable-payload", name: "MillraceError" }),
      );
    }
  });

  test("undefined is no JSON; in msgpack it is null", () => {
    expect(() => encodeJson(undefined)).toThrow(
      expect.objectContaining({ code: "unserializable-payload" }),
    );
    expect(decodeBody(encodeMsgpack(undefined), undefined)).toBeNull();
  });

  test("fields that are undefined are left out in both formats", () => {
    for (const encode of [encodeMsgpack, encodeJson])
      expect(decodeBody(encode({ a: 1, b: undefined }), undefined)).toEqual({ a: 1 });
  });

  test("bytes and dates survive msgpack", () => {
    const value = { bytes: new Uint8Array([0, 255]), at: new Date(1_700_000_000_123) };
    expect(decodeBody(encodeMsgpack(value), undefined)).toEqual(value);
  });

  test("the encoder works on after it has refused a value", () => {
    expect(() => encodeMsgpack({ a: 10n })).toThrow();
    expect(decodeBody(encodeMsgpack({ a: 10 }), undefined)).toEqual({ a: 10 });
  });

  test("a value that encodes another while it is encoded gets its own bytes", () => {
    const inner = {
      get value() {
        return decodeBody(encodeMsgpack({ deep: 1 }), undefined);
      },
    };
    expect(decodeBody(encodeMsgpack({ inner }), undefined)).toEqual({
      inner: { value: { deep: 1 } },
    });
  });
});
