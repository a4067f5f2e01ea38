import { expect, test } from "vitest";
import { jsonText } from "./json-text.ts";

const OBEYED = "a\u001b[2Jb\u009b2Jc\u009d0;x\u007fd\u202ee\u2028f\u{e0041}g\n\u200bh";

test("JSON carries nothing that a terminal obeys, and the same values", () => {
  for (const space of [undefined, 2]) {
    const shown = jsonText({ [OBEYED]: OBEYED, plain: "grüße 🌊" }, space);
    expect(shown.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(shown).toContain("grüße 🌊");
    expect(JSON.parse(shown)).toEqual({ [OBEYED]: OBEYED, plain: "grüße 🌊" });
  }
});

test("a layout keeps its lines", () => {
  expect(jsonText({ a: [1] }, 2)).toBe('{\n  "a": [\n    1\n  ]\n}');
});
