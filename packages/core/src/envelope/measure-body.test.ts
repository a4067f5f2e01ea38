import { Encoder } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBody } from "./body.ts";
import { fieldBytes, measureBody } from "./measure-body.ts";

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

describe("measureBody", () => {
  test.each([
    ["a list of 2^32 - 1 and nothing behind it", "dd ffffffff"],
    ["a list of 65,535 and one entry", "dc ffff c0"],
    ["one list in another, each with room for one", "dc 0010 dc 0010 c0"],
    [
      "a map of 2^32 - 1 after an honest list",
      "92 dc0010 c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0 df ffffffff",
    ],
    [
      "a list behind a string, bytes, an extension and numbers",
      "96 d903616263 c4020102 c7010501 cb4004000000000000 cd0102 dd0fffffff",
    ],
  ])("refuses %s", (_, hex) => {
    expect(() => measureBody(bytesOf(hex), 100_000)).toThrow("claims more entries");
  });

  test.each([
    ["a string that holds the header's byte", "a3 dcdddc"],
    ["16 entries of 16", `dc 0010 ${"c0".repeat(16)}`],
    ["a body that ends within a header", "dd ff"],
    ["a body that ends within a string", "91 a5 dc"],
  ])("lets %s through, to the decoder", (_, hex) => {
    expect(() => measureBody(bytesOf(hex), 100_000)).not.toThrow();
  });

  test("a message of 5,000 bytes can't take the memory of the node", () => {
    const bomb = bytesOf("dd00ffffff".repeat(1_000));
    const before = process.memoryUsage().rss;
    expect(() => decodeBody(bomb, "application/msgpack")).toThrow("claims more entries");
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1_048_576);
  });

  test("lets everything through that an encoder writes", () => {
    const encoder = new Encoder();
    const value = fc.anything({
      withDate: true,
      withTypedArray: true,
      withNullPrototype: false,
      maxDepth: 5,
    });
    fc.assert(
      fc.property(fc.array(value, { minLength: 16, maxLength: 40 }), (list) => {
        let bytes: Uint8Array;
        try {
          bytes = encoder.encode(list);
        } catch {
          return;
        }
        measureBody(bytes, 100_000);
      }),
    );
  });
});

describe("fieldBytes", () => {
  const library = new Encoder();
  const value = fc.oneof(fc.jsonValue(), fc.uint8Array(), fc.date({ noInvalidDate: true }));
  const name = fc.oneof(fc.constantFrom("payload", "payloads", "pay", "x".repeat(40)), fc.string());
  /** A map whose names may come twice, as only a stranger writes it. */
  const body = fc.array(fc.tuple(name, value), { maxLength: 20 }).map((fields) => {
    const parts = fields.flatMap(([key, one]) => [library.encode(key), library.encode(one)]);
    const head = Uint8Array.of(0xde, fields.length >> 8, fields.length & 0xff);
    return Uint8Array.from(Buffer.concat([head, ...parts.map((part) => Buffer.from(part))]));
  });

  test("finds the bytes of what a reader reads, and counts what is in them", () => {
    fc.assert(
      fc.property(body, name, (bytes, wanted) => {
        // The decoder refuses it as a name.
        fc.pre(!Buffer.from(bytes).includes("__proto__"));
        const read = decodeBody(bytes, "application/msgpack") as Record<string, unknown>;
        const found = fieldBytes(bytes, wanted);
        expect(found !== undefined).toBe(Object.hasOwn(read, wanted));
        if (found === undefined) return;
        expect(decodeBody(found.bytes, "application/msgpack")).toEqual(read[wanted]);
        expect(found.values).toBe(measureBody(found.bytes, Infinity));
      }),
    );
  });

  test.each([
    ["in one byte of head", "81 a1 61 01"],
    ["with a length of one byte", "81 d901 61 01"],
    ["with a length of two", "81 da0001 61 01"],
    ["with a length of four", "81 db00000001 61 01"],
    ["in a map with a length of two bytes", "de0001 a1 61 01"],
    ["in a map with a length of four", "df00000001 a1 61 01"],
    ["a second time", "82 a1 61 02 a1 61 01"],
    ["behind names that are no text", "84 00 02 c4 01 61 03 91 c0 04 a1 61 01"],
  ])("finds a name that is written %s", (_, hex) => {
    expect(fieldBytes(bytesOf(hex), "a")).toEqual({ bytes: bytesOf("01"), values: 1 });
  });

  test.each([
    ["no bytes", ""],
    ["a list", "92 a1 61 01"],
    ["no map", "a1 61"],
    ["a map with other names", "82 a1 62 01 a2 6161 01"],
    ["the name further down", "81 a1 62 81 a1 61 01"],
    ["the name's bytes as bytes", "81 c4 01 61 01"],
  ])("finds nothing in %s", (_, hex) => {
    expect(fieldBytes(bytesOf(hex), "a")).toBeUndefined();
  });

  test("takes nothing of a body that ends early", () => {
    const bytes = library.encode({
      id: "some",
      payload: { list: [1, "two", [3]], at: new Date(0) },
    });
    expect(fieldBytes(bytes, "payload")).toBeDefined();
    for (let size = 0; size < bytes.length; size += 1) {
      let found: unknown;
      try {
        found = fieldBytes(bytes.subarray(0, size), "payload");
      } catch (error) {
        expect(String(error)).toContain("claims more entries");
      }
      expect(found, `${size} of ${bytes.length} bytes`).toBeUndefined();
    }
  });
});
