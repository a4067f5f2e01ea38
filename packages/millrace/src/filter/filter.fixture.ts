import fc from "fast-check";
import type { FilterFields } from "./filter-fields.ts";
import type { FilterTree, Term } from "./filter-tree.ts";
import { seePayload } from "./seen-payload.ts";

export const NOW = Date.parse("2030-01-01T12:00:00Z");

export interface Thing {
  readonly id: string;
  readonly at: number;
  readonly attempts: number;
  readonly payload: unknown;
}

export const THING_FIELDS: FilterFields<Thing> = {
  texts: { id: ({ id }) => id },
  numbers: { attempts: ({ attempts }) => attempts },
  durations: { took: ({ attempts }) => attempts * 1_000 },
  at: ({ at }) => at,
  payload: ({ payload }) => seePayload(payload),
  words: ["id"],
};

/** Few letters, so that things and filters meet. */
const word = fc.stringMatching(/^[abAB1]{1,3}$/);
const value = fc.oneof(word, fc.string({ maxLength: 5 }), fc.constantFrom("a*", "*", "1", "true"));

const plainLeaf = fc.oneof(word, fc.integer({ min: -3, max: 30 }), fc.boolean(), fc.constant(null));

function payloadsOf(leaves: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.letrec((again) => ({
    payload: fc.oneof(
      { maxDepth: 3 },
      leaves,
      fc.array(again("payload"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom("a", "b", "customer"), again("payload"), { maxKeys: 3 }),
    ),
  })).payload;
}

export const payloads: fc.Arbitrary<unknown> = payloadsOf(plainLeaf);

/** Stands where a payload or a text holds a secret. */
const HOLE = "\0";
const around = fc.tuple(fc.option(word, { nil: "" }), fc.option(word, { nil: "" }));

/** Texts that hold secrets. */
export const holedTexts: fc.Arbitrary<string> = around.map((parts) => parts.join(HOLE));
export const holedPayloads: fc.Arbitrary<unknown> = payloadsOf(
  fc.oneof(plainLeaf, fc.constant(HOLE), holedTexts),
);
/** What may stand behind a mask. */
export const secrets: fc.Arbitrary<string | number | boolean> = fc.oneof(
  word,
  fc.integer({ min: -3, max: 30 }),
  fc.boolean(),
);

/** The same with something in place of what is secret. */
export function filled(value: unknown, secret: string | number | boolean): unknown {
  if (value === HOLE) return secret;
  if (typeof value === "string") return value.replaceAll(HOLE, String(secret));
  if (Array.isArray(value)) return value.map((item: unknown) => filled(item, secret));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, filled(item, secret)]),
  );
}

export const things: fc.Arbitrary<Thing> = fc.record({
  id: word,
  at: fc.integer({ min: NOW - 7_200_000, max: NOW }),
  attempts: fc.nat({ max: 4 }),
  payload: payloads,
});

const textTerm = (fields: fc.Arbitrary<string>): fc.Arbitrary<Term> =>
  fc.record({
    ...{ kind: fc.constant("term" as const), whole: fc.constant(""), position: fc.constant(1) },
    field: fields,
    operator: fc.constantFrom(":", "=", "!=", "~", "!~"),
    value,
  });
const numberTerm = (
  fields: fc.Arbitrary<string>,
  values: fc.Arbitrary<string>,
  operators: readonly Term["operator"][],
): fc.Arbitrary<Term> =>
  fc.record({
    ...{ kind: fc.constant("term" as const), whole: fc.constant(""), position: fc.constant(1) },
    field: fields,
    operator: fc.constantFrom(...operators),
    value: values,
  });

/** @param texts the fields that are texts */
export function treesOf(texts: readonly string[]): fc.Arbitrary<FilterTree> {
  const path = fc.constantFrom("payload", "payload.a", "payload.a.b", "payload.customer");
  const terms = fc.oneof(
    { weight: 3, arbitrary: textTerm(fc.constantFrom(...texts)) },
    { weight: 3, arbitrary: textTerm(path) },
    numberTerm(path, fc.constantFrom("0", "7", "-1.5"), [">", "<", ">=", "<="]),
    numberTerm(fc.constant("attempts"), fc.nat({ max: 4 }).map(String), [
      ":",
      "=",
      "!=",
      ">",
      "<",
      ">=",
      "<=",
    ]),
    numberTerm(fc.constantFrom("took", "age"), fc.constantFrom("0s", "2s", "1h"), [">", "<", ">="]),
    numberTerm(fc.constant("at"), fc.constant("2030-01-01T11:00Z"), [">", "<="]),
    value.map((text) => ({ kind: "text" as const, text })),
  );
  return fc.letrec<{ tree: FilterTree }>((again) => ({
    tree: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      terms,
      fc.record({ kind: fc.constant("not" as const), of: again("tree") }),
      fc.record({
        kind: fc.constantFrom("and" as const, "or" as const),
        of: fc.array(again("tree"), { minLength: 2, maxLength: 3 }),
      }),
    ),
  })).tree;
}

export const trees = treesOf(["id"]);

/** A tree as somebody would type it. */
export function written(tree: FilterTree): string {
  switch (tree.kind) {
    case "text":
      return quoted(tree.text);
    case "term":
      return `${tree.field}${tree.operator}${quoted(tree.value)}`;
    case "not":
      return `-${held(tree.of)}`;
    case "and":
      return tree.of.map(held).join(" ");
    case "or":
      return tree.of.map(held).join(" OR ");
  }
}

function held(tree: FilterTree): string {
  return tree.kind === "and" || tree.kind === "or" ? `(${written(tree)})` : written(tree);
}

function quoted(value: string): string {
  return `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}
