import { Encoder } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBody } from "./body.ts";
import { measureBody } from "./measure-body.ts";

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
