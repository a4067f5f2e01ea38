import { expect, test } from "vitest";
import { countFrom0OrNone, countOrNone } from "./limit-kinds.ts";

test.each([
  ["none", null, null],
  ["0", undefined, 0],
  ["7", 7, 7],
  ["07", undefined, undefined],
  ["-1", undefined, undefined],
  ["", undefined, undefined],
  ["1e3", undefined, undefined],
  ["9007199254740992", undefined, undefined],
] as const)("%j is read as a count, from 1 and from 0", (raw, from1, from0) => {
  for (const [kind, expected] of [
    [countOrNone, from1],
    [countFrom0OrNone, from0],
  ] as const)
    if (expected === undefined) expect(() => kind.parse(raw)).toThrow(/must be a whole number/);
    else {
      expect(kind.parse(raw)).toBe(expected);
      expect(kind.show(expected)).toBe(raw);
    }
});
