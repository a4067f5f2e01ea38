import { MillraceError } from "@millrace/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FilterError } from "./filter-error.ts";
import { type FilterFields, leavesOf } from "./filter-fields.ts";
import { filterTest, parseFilter } from "./filter-test.ts";
import type { FilterTree } from "./filter-tree.ts";
import { readFilter } from "./read-filter.ts";
import { NOW, things, THING_FIELDS, trees, written } from "./filter.fixture.ts";

test("what is written as a filter is read as the same filter", () => {
  fc.assert(
    fc.property(trees, (tree) => {
      expect(withoutPlaces(readFilter(written(tree)))).toEqual(withoutPlaces(tree));
    }),
    { numRuns: 500 },
  );
});

test("whatever is typed is read, or refused with a place within it", () => {
  const typed = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc
      .array(fc.constantFrom("(", ")", "-", " ", "OR", "id:", "took>", '"', "'", "\\", "a", "*"), {
        maxLength: 20,
      })
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(typed, (text) => {
      try {
        parseFilter(text, NOW, THING_FIELDS);
      } catch (error) {
        expect(error).toBeInstanceOf(FilterError);
        expect(MillraceError.is(error, "invalid-filter")).toBe(true);
        const { position } = error as FilterError;
        expect(position).toBeGreaterThanOrEqual(1);
        expect(position).toBeLessThanOrEqual(text.length + 1);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("a blank is and, OR is or, a minus is not, and brackets hold together", () => {
  fc.assert(
    fc.property(trees, trees, things, (a, b, thing) => {
      const holds = (text: string): boolean => parseFilter(text, NOW, THING_FIELDS)(thing);
      const [one, two] = [written(a), written(b)];
      expect(holds(`(${one}) (${two})`)).toBe(holds(one) && holds(two));
      expect(holds(`(${one}) OR (${two})`)).toBe(holds(one) || holds(two));
      expect(holds(`-(${one})`)).toBe(!holds(one));
      expect(holds(one)).toBe(filterTest(a, NOW, THING_FIELDS)(thing));
    }),
    { numRuns: 500 },
  );
});

test("a word is found wherever it stands, and != is what = is not", () => {
  fc.assert(
    fc.property(things, (thing) => {
      const quoted = (value: unknown): string =>
        `"${String(value).replaceAll(/["\\]/g, String.raw`\$&`)}"`;
      for (const { path, value } of leavesOf(thing.payload)) {
        expect(parseFilter(quoted(value), NOW, THING_FIELDS)(thing)).toBe(true);
        if (!/^[a-z.]+$/.test(path) || String(value).includes("*")) continue;
        expect(parseFilter(`payload.${path}=${quoted(value)}`, NOW, THING_FIELDS)(thing)).toBe(
          true,
        );
        expect(parseFilter(`payload.${path}!=${quoted(value)}`, NOW, THING_FIELDS)(thing)).toBe(
          false,
        );
      }
    }),
  );
});

test.each([
  ["a (b", 3],
  ["a b)", 4],
  ["a OR", 5],
  ["OR a", 1],
  ["-", 2],
  ['a "open', 3],
  ["id:", 1],
  ["a  colour:red", 4],
  ["a -(took>soon)", 5],
  [`${"(".repeat(51)}a`, 51],
  ["x".repeat(4_001), 4_001],
])("%j goes wrong at character %d", (text, position) => {
  expect(() => parseFilter(text, NOW, THING_FIELDS)).toThrow(
    expect.objectContaining({ code: "invalid-filter", position }),
  );
});

test("stars in plenty take no time", () => {
  const thing = { id: "a".repeat(100_000), at: 0, attempts: 0, payload: null };
  const pattern = `${"a*".repeat(1_000)}b`;
  const fields: FilterFields<typeof thing> = { ...THING_FIELDS, words: [] };
  // With a regular expression's way back it would take longer than the world stands.
  expect(parseFilter(`id=${pattern}`, NOW, fields)(thing)).toBe(false);
});

/** Where a term stands in the text is of no account here. */
function withoutPlaces(tree: FilterTree): unknown {
  if (tree.kind === "term") return { ...tree, position: 0, whole: "" };
  if (tree.kind === "not") return { ...tree, of: withoutPlaces(tree.of) };
  return tree.kind === "text" ? tree : { ...tree, of: tree.of.map(withoutPlaces) };
}
