import { MillraceError } from "@millrace/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FilterError } from "./filter-error.ts";
import type { FilterFields } from "./filter-fields.ts";
import { filterTest, parseFilter } from "./filter-test.ts";
import type { FilterTree } from "./filter-tree.ts";
import { readFilter } from "./read-filter.ts";
import { seePayload } from "./seen-payload.ts";
import {
  filled,
  holedPayloads,
  holedTexts,
  NOW,
  payloads,
  secrets,
  type Thing,
  things,
  THING_FIELDS,
  trees,
  written,
} from "./filter.fixture.ts";

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
      for (const { path, value } of seePayload(thing.payload).leaves) {
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

test("what fits does so whatever a mask hides of it, where it is masked now and where it was", () => {
  fc.assert(
    fc.property(
      trees,
      things,
      holedTexts,
      holedPayloads,
      secrets,
      secrets,
      (tree, thing, ...of) => {
        const [id, payload, secret, other] = of;
        // An id stands for any text that may be masked.
        const holed = { ...thing, id, payload };
        const thingOf = (secret: string | number | boolean): Thing => ({
          ...(filled(holed, secret) as Thing),
          id: String(filled(id, secret)),
        });
        const [shown, plain] = [thingOf("***"), thingOf(secret)];
        const fields: FilterFields<Thing> = {
          ...THING_FIELDS,
          payload: () => seePayload(shown.payload, plain.payload),
        };
        const fits = (one: FilterTree, by = fields): boolean => filterTest(one, NOW, by)(shown);
        for (const by of [fields, THING_FIELDS]) {
          expect(fits(tree, by) && fits({ kind: "not", of: tree }, by)).toBe(false);
          if (fits(tree, by))
            for (const what of [plain, thingOf(other)])
              expect(filterTest(tree, NOW, THING_FIELDS)(what), written(tree)).toBe(true);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

test("and whatever lies beyond the part of a payload that is looked at", () => {
  const filler = fc.oneof(fc.constantFrom("a", "b1", 7), fc.boolean());
  const rest = fc.tuple(payloads, payloads);
  fc.assert(
    fc.property(trees, things, filler, rest, rest, (tree, thing, item, rest, other) => {
      const large = { customer: Array.from({ length: 1_001 }, () => item) };
      const thingWith = ([a, b]: readonly unknown[], of: object): Thing => ({
        ...thing,
        payload: { ...of, a, b },
      });
      const test = filterTest(tree, NOW, THING_FIELDS);
      const against = filterTest({ kind: "not", of: tree }, NOW, THING_FIELDS);
      const cut = thingWith(rest, large);
      expect(test(cut) && against(cut)).toBe(false);
      // Of a list one item has to fit: a thousand of the same are as one.
      if (test(cut))
        for (const beyond of [rest, other])
          expect(test(thingWith(beyond, { customer: item })), written(tree)).toBe(true);
    }),
    { numRuns: 500 },
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
