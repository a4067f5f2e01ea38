import { toMs } from "@millrace/core";
import { FilterError } from "./filter-error.ts";
import { type FilterFields, type Leaf, leavesOf, onceEach } from "./filter-fields.ts";
import type { FilterTree, Term } from "./filter-tree.ts";
import { type Partly, partlyTest } from "./partly.ts";
import { readFilter } from "./read-filter.ts";

type Test<Thing> = (thing: Thing) => boolean;

/**
 * Reads a filter into a test. What a mask hides can't be told: a thing fits only if it does so
 * whatever is hidden, so that `-tag=4111…` does not take in a job whose tag is that number, masked.
 *
 * @param now epoch milliseconds, for `age`
 * @throws FilterError naming the term and its place
 */
export function parseFilter<Thing>(
  text: string,
  now: number,
  fields: FilterFields<Thing>,
): Test<Thing> {
  return filterTest(readFilter(text), now, fields);
}

export function filterTest<Thing>(
  tree: FilterTree,
  now: number,
  fields: FilterFields<Thing>,
): Test<Thing> {
  const read = { ...fields, leaves: leavesOnce(fields) };
  const told = partlyTest(
    tree,
    (term) => unlessHidden(termTest(term, now, read), read, term),
    (text) => unlessHidden(textAnywhere(text, read), read),
  );
  return (thing) => told(thing) === true;
}

interface ReadFields<Thing> extends FilterFields<Thing> {
  /** Undefined where nobody can say what a payload holds. */
  readonly leaves: ((thing: Thing) => readonly Leaf[]) | undefined;
}

/** A filter may have hundreds of terms on payloads, and to mask one and look into it takes long. */
function leavesOnce<Thing>({ payload }: FilterFields<Thing>): ReadFields<Thing>["leaves"] {
  if (typeof payload === "string") return undefined;
  return onceEach((thing) => leavesOf(payload(thing)));
}

/** Undefined where only what is hidden could make it otherwise. */
function unlessHidden<Thing>(
  test: Test<Thing>,
  { hides, words, leaves }: ReadFields<Thing>,
  term?: Term,
): Partly<Thing> {
  if (hides === undefined) return test;
  const fields = term === undefined ? [...words, ...(leaves ? ["payload"] : [])] : [term.field];
  // What is hidden can only add to what was found.
  const isOpen = term?.operator === "!=" || term?.operator === "!~";
  return (thing) => {
    const fits = test(thing);
    return fits === isOpen && fields.some((field) => hides(thing, field)) ? undefined : fits;
  };
}

function textAnywhere<Thing>(
  text: string,
  { texts, words, leaves }: ReadFields<Thing>,
): Test<Thing> {
  const part = text.toLowerCase();
  const holds = (value: string): boolean => value.toLowerCase().includes(part);
  const read = words.flatMap((word) => ownOf(texts, word) ?? []);
  return (thing) =>
    read.some((textOf) => [textOf(thing)].flat().some(holds)) ||
    leaves?.(thing).some(({ value }) => holds(String(value))) === true;
}

function termTest<Thing>(term: Term, now: number, fields: ReadFields<Thing>): Test<Thing> {
  const { field, value } = term;
  const { texts, numbers, durations, at } = fields;
  const textOf = ownOf(texts, field);
  if (textOf !== undefined) {
    const { fits, wanted } = textTest(term);
    return (thing) => [textOf(thing)].flat().some(fits) === wanted;
  }
  if (field === "payload" || field.startsWith("payload.")) return payloadTest(term, fields);
  if (field === "age") {
    const fits = numberTest(term, durationOf(term, value));
    return (thing) => {
      const then = at(thing);
      return fits(then === undefined ? undefined : now - then);
    };
  }
  if (field === "at") {
    const fits = numberTest(term, timeOf(term, value));
    return (thing) => fits(at(thing));
  }
  const lengthOf = ownOf(durations, field);
  const numberOf = lengthOf ?? ownOf(numbers, field);
  if (numberOf === undefined) throw wrong(term, `one of the fields ${fieldNames(fields)}`);
  const limit = lengthOf === undefined ? countOf(term, value) : durationOf(term, value);
  const fits = numberTest(term, limit);
  return (thing) => fits(numberOf(thing));
}

function fieldNames<Thing>({ texts, numbers, durations, payload }: FilterFields<Thing>): string {
  const known = [texts, numbers, durations].flatMap((table) => Object.keys(table));
  const more = typeof payload === "function" ? ["payload.<field>"] : [];
  return [...known, "at", "age", ...more].join(", ");
}

function payloadTest<Thing>(term: Term, { payload, leaves }: ReadFields<Thing>): Test<Thing> {
  if (leaves === undefined) throw wrong(term, String(payload));
  const path = term.field === "payload" ? undefined : term.field.slice("payload.".length);
  const { fits, wanted } = leafTest(term);
  return (thing) =>
    leaves(thing).some((leaf) => (path === undefined || leaf.path === path) && fits(leaf)) ===
    wanted;
}

interface Wanted<Value> {
  readonly fits: (value: Value) => boolean;
  /** Whether one has to fit, or none may. */
  readonly wanted: boolean;
}

function leafTest(term: Term): Wanted<Leaf> {
  switch (term.operator) {
    case ">":
    case "<":
    case ">=":
    case "<=": {
      const limit = numberOf(term, term.value);
      const compares = comparison(term, limit);
      return {
        fits: ({ value }) => {
          const number = typeof value === "number" ? value : amountOf(value);
          return number !== undefined && compares(number);
        },
        wanted: true,
      };
    }
    default: {
      const { fits, wanted } = textTest(term);
      return { fits: ({ value }) => fits(String(value)), wanted };
    }
  }
}

function textTest(term: Term): Wanted<string> {
  const { operator, value } = term;
  const part = value.toLowerCase();
  switch (operator) {
    case "=":
    case "!=":
      return { fits: wholeText(value), wanted: operator === "=" };
    case ":": {
      const whole = wholeText(part);
      return { fits: (text) => whole(text.toLowerCase()), wanted: true };
    }
    case "~":
    case "!~":
      return { fits: (text) => text.toLowerCase().includes(part), wanted: operator === "~" };
    default:
      throw wrong(term, ":, =, !=, ~ or !~ after a text's field");
  }
}

/**
 * Whether a text is the pattern, in which stars stand for anything. Each part is looked for once,
 * so that no pattern takes long, as a regular expression's may.
 */
function wholeText(pattern: string): (text: string) => boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return (text) => text === pattern;
  return (text) => {
    if (!text.startsWith(first)) return false;
    let at = first.length;
    for (const part of rest) {
      const found = text.indexOf(part, at);
      if (found === -1) return false;
      at = found + part.length;
    }
    return text.length - last.length >= at && text.endsWith(last);
  };
}

function numberTest(term: Term, limit: number): (value: number | undefined) => boolean {
  const compares = comparison(term, limit);
  return (value) => value !== undefined && compares(value);
}

function comparison(term: Term, limit: number): (value: number) => boolean {
  switch (term.operator) {
    case ":":
    case "=":
      return (value) => value === limit;
    case "!=":
      return (value) => value !== limit;
    case ">":
      return (value) => value > limit;
    case "<":
      return (value) => value < limit;
    case ">=":
      return (value) => value >= limit;
    case "<=":
      return (value) => value <= limit;
    default:
      throw wrong(term, ":, =, !=, <, >, <= or >= after a number's field");
  }
}

function countOf(term: Term, value: string): number {
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw wrong(term, "a whole number");
}

function numberOf(term: Term, value: string): number {
  const number = amountOf(value);
  if (number !== undefined) return number;
  throw wrong(term, "a number after <, >, <= or >=");
}

function amountOf(text: string): number | undefined {
  return /^-?\d+(?:\.\d+)?(?:e[+-]?\d{1,3})?$/i.test(text) ? Number(text) : undefined;
}

function timeOf(term: Term, value: string): number {
  const ms = /^\d{10,15}$/.test(value) ? Number(value) : Date.parse(value);
  if (Number.isNaN(ms)) throw wrong(term, "a time such as 2030-01-01T00:00Z");
  return ms;
}

function durationOf(term: Term, value: string): number {
  try {
    return toMs(value);
  } catch {
    throw wrong(term, "a duration such as 30m or 2h");
  }
}

/** What every object has is no field. */
function ownOf<Value>(table: Readonly<Record<string, Value>>, field: string): Value | undefined {
  return Object.hasOwn(table, field) ? table[field] : undefined;
}

function wrong({ whole, position }: Term, expected: string): FilterError {
  return new FilterError(position, expected, whole);
}
