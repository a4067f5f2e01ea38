import { Encoder } from "@msgpack/msgpack";
import { describe, expect, it } from "vitest";
import { decodeBody } from "./body.ts";
import { requireSoundMsgpack } from "./msgpack-shape.ts";

const encoder = new Encoder();
const MAX = 65;

describe("requireSoundMsgpack", () => {
  it.each<[string, unknown]>([
    ["nil", null],
    ["booleans", [true, false]],
    ["every size of integer", [0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32, 2 ** 53 - 1]],
    ["every size of negative integer", [-1, -32, -33, -128, -129, -32_769, -(2 ** 31) - 1]],
    ["floats", [0.5, -1.25e300]],
    ["strings", ["", "a", "x".repeat(31), "x".repeat(32), "x".repeat(256), "x".repeat(70_000)]],
    ["bytes", [new Uint8Array(3), new Uint8Array(300), new Uint8Array(70_000)]],
    ["a timestamp", [new Date(1), new Date(2 ** 40), new Date(-1)]],
    ["long arrays", [Array(15).fill(1), Array(16).fill(1), Array(70_000).fill(1)]],
    ["long maps", [mapOf(15), mapOf(16), mapOf(70_000)]],
    ["empty containers", [[], {}, [[]], { a: {} }]],
  ])("takes %s", (_what, value) => {
    expect(() => requireSoundMsgpack(encoder.encode(value), MAX)).not.toThrow();
  });

  it("takes float 32 and every fixed extension", () => {
    const exts = [1, 2, 4, 8, 16].map((size, index) => [0xd4 + index, 7, ...Array(size).fill(0)]);
    const body = Uint8Array.from([0x96, 0xca, 0, 0, 0, 0, ...exts.flat()]);
    expect(() => requireSoundMsgpack(body, MAX)).not.toThrow();
  });

  it("refuses every cut of a message", () => {
    const whole = encoder.encode({
      a: [1, "two", { b: 3.5 }],
      c: new Uint8Array(40),
      d: "x".repeat(40),
    });
    for (let end = 0; end < whole.length; end += 1) {
      expect(() => requireSoundMsgpack(whole.subarray(0, end), MAX), `cut at ${end}`).toThrow(
        /ends in the middle/,
      );
    }
  });

  it("counts levels as the limit says", () => {
    expect(() => requireSoundMsgpack(nested(65), MAX)).not.toThrow();
    expect(() => requireSoundMsgpack(nested(66), MAX)).toThrow(/deeper than 64/);
    expect(() => requireSoundMsgpack(nested(10_000), MAX)).toThrow(/deeper than 64/);
  });
});

describe("decodeBody", () => {
  // Without the walk the first of these takes seconds and gigabytes.
  it.each([
    [
      "a short body that claims 33 million elements ten times over",
      [0xdd, 0x01, 0xff, 0xff, 0xff],
      10,
    ],
    ["nested arrays that claim 65,535 elements each", [0xdc, 0xff, 0xff], 100_000],
    ["a map that claims four billion entries", [0xdf, 0xff, 0xff, 0xff, 0xff], 1],
  ])("refuses at once: %s", (_what, header, times) => {
    const body = Uint8Array.from(Array.from({ length: times }, () => header).flat());
    const startedAt = performance.now();
    expect(() => decodeBody(body, undefined)).toThrow(/ends in the middle|deeper than/);
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});

function mapOf(size: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: size }, (_, i) => [`k${i}`, i]));
}

function nested(levels: number): Uint8Array {
  return Uint8Array.from([...Array(levels).fill(0x91), 0xc0]);
}
