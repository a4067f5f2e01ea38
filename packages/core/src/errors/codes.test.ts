import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ERROR_CODES } from "./codes.ts";

const DOC = new URL("../../../../docs/errors.md", import.meta.url);

describe("docs/errors.md", () => {
  // Cells may be padded by a formatter.
  const rows = readFileSync(DOC, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

  test("lists exactly the codes there are, in their order, with their meaning", () => {
    expect(rows.map(([code, meaning]) => [code, meaning])).toEqual(
      Object.entries(ERROR_CODES).map(([code, meaning]) => [`\`${code}\``, meaning]),
    );
  });

  test("says for each what to do", () => {
    for (const [code, , advice] of rows) expect(advice?.length, code).toBeGreaterThan(10);
  });
});
