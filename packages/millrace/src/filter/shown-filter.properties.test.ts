import { createMask, MASKED, shownFilter, type ShowValue } from "@millrace/telemetry/masking";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { FilterTree, Term } from "./filter-tree.ts";
import { trees, written } from "./filter.fixture.ts";
import { readFilter } from "./read-filter.ts";

const mask = createMask({ keys: ["b", "customer"] });
/** Texts stay as they are, so that only what is hidden by a field's name is another. */
const SHOW: ShowValue = (value) => (typeof value === "string" ? value : mask(value));
const OF_A_SECRET = /^payload\.(?:.*\.)?(?:b|customer)(?:\.|$)/i;
const OPERATOR = /[:=!~<>]/;

const shown = (where: string): unknown => shownFilter({ where }, SHOW)["where"];

test("what a filter asks of a secret is hidden wherever the reader finds it, and nothing else", () => {
  let hidden = 0;
  fc.assert(
    fc.property(trees, (tree) => {
      const text = written(tree);
      const expected = withoutSecrets(text);
      if (expected !== text) hidden += 1;
      expect(shown(text)).toBe(expected);
    }),
    { numRuns: 500 },
  );
  expect(hidden).toBeGreaterThan(100);
});

test("and so it is of whatever is typed that can be read", () => {
  const pieces = [
    ...["(", ")", "-", " ", " ", "\t", " OR ", "OR", "id:", "took>", "a", "*", "7", "."],
    ...['"', "'", "\\", '"x y"', "'x'", '"payload.b:1"', "payload:", "payload.a:"],
    ...["payload.b:", "payload.b!=", "payload.a.B>=", "PAYLOAD.customer!~", "payload.b.a<"],
  ];
  const typed = fc
    .array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 12 })
    .map((parts) => parts.join(""));
  let hidden = 0;
  fc.assert(
    fc.property(typed, (text) => {
      const expected = withoutSecrets(text);
      if (expected === undefined) return;
      // What only the reader can read is hidden as a whole.
      if (shown(text) !== MASKED) expect(shown(text)).toBe(expected);
      if (expected !== text && shown(text) === expected) hidden += 1;
    }),
    { numRuns: 5_000 },
  );
  expect(hidden).toBeGreaterThan(100);
});

/** By the reader: undefined where it can't read the filter. */
function withoutSecrets(text: string): string | undefined {
  let tree: FilterTree;
  try {
    tree = readFilter(text);
  } catch {
    return undefined;
  }
  return termsOf(tree).reduceRight((left, { field, whole, operator, position }) => {
    if (!OF_A_SECRET.test(field)) return left;
    const asked = whole.slice(0, whole.search(OPERATOR) + operator.length);
    const start = position - 1;
    return `${left.slice(0, start)}${asked}${MASKED}${left.slice(start + whole.length)}`;
  }, text);
}

/** In the order in which they stand. */
function termsOf(tree: FilterTree): readonly Term[] {
  switch (tree.kind) {
    case "and":
    case "or":
      return tree.of.flatMap(termsOf);
    case "not":
      return termsOf(tree.of);
    case "text":
      return [];
    case "term":
      return [tree];
  }
}
