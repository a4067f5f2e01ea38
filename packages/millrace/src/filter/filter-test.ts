import { toMs } from "@millrace/core";
import { FilterError } from "./filter-error.ts";
import { type FilterFields, onceEach } from "./filter-fields.ts";
import type { FilterTree, Term } from "./filter-tree.ts";
import { FoldedText } from "./folded-text.ts";
import { type Partly, partlyTest } from "./partly.ts";
import { readFilter } from "./read-filter.ts";
import { hidesAt, type Leaf, type SeenPayload } from "./seen-payload.ts";

type Test<Thing> = (thing: Thing) => boolean;

/**
 * Reads a filter into a test. What a mask hides can't be told, nor what lies beyond the part of a
 * payload that is looked at: a thing fits only if it does so whatever that is, so that `-tag=4111…`
 * does not take in a job whose tag is that number, masked.
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
  const told = toldBy(tree, now, fields);
  return (thing) => told(thing) === true;
}

/** What can be told by a filter: undefined where what is not known decides. */
export function toldBy<Thing>(
  tree: FilterTree,
  now: number,
  fields: FilterFields<Thing>,
): Partly<Thing> {
  const read = readOnce(fields);
  return partlyTest(
    tree,
    (term) => termTest(term, now, read),
    (text) => wordTest(text, read),
  );
}

/** A filter may have hundreds of terms, and to mask and to lower what they ask about takes long. */
interface ReadFields<Thing> extends Omit<FilterFields<Thing>, "texts" | "payload"> {
  readonly texts: Readonly<Record<string, KnownTexts<Thing>>>;
  /** A text: why nobody can say. */
  readonly payload: ((thing: Thing) => SeenPayload) | string;
  /** Where words without a field are looked for. */
  readonly anywhere: KnownTexts<Thing>;
}

interface KnownTexts<Thing> {
  readonly of: (thing: Thing) => readonly FoldedText[];
  /** Whether something of them is not known. */
  readonly isPart: Test<Thing>;
}

function readOnce<Thing>(fields: FilterFields<Thing>): ReadFields<Thing> {
  const texts = Object.fromEntries(
    Object.entries(fields.texts).map(([field, read]) => {
      const of = onceEach((thing: Thing) =>
        [read(thing)].flat().map((text) => new FoldedText(text)),
      );
      const isPart: Test<Thing> = (thing) =>
        of(thing).some(({ isMasked }) => isMasked) || fields.hides?.(thing, field) === true;
      return [field, { of, isPart }] as const;
    }),
  );
  const payload = typeof fields.payload === "string" ? fields.payload : onceEach(fields.payload);
  const words = fields.words.flatMap((word) => ownOf(texts, word) ?? []);
  const leavesOf = (thing: Thing): readonly FoldedText[] =>
    typeof payload === "string" ? [] : payload(thing).leaves.map(({ folded }) => folded);
  return {
    ...fields,
    ...{ texts, payload },
    anywhere: {
      of: onceEach((thing) => [...words.flatMap(({ of }) => of(thing)), ...leavesOf(thing)]),
      isPart: onceEach(
        (thing) =>
          words.some(({ isPart }) => isPart(thing)) ||
          (typeof payload === "function" && hidesAt(payload(thing), undefined)),
      ),
    },
  };
}

/**
 * Undefined where only what is not known could make it otherwise: it can but add to what is found.
 *
 * @param wanted whether something has to be found, or nothing may
 */
function partly<Thing>(finds: Test<Thing>, isPart: Test<Thing>, wanted = true): Partly<Thing> {
  return (thing) => {
    if (finds(thing)) return wanted;
    return isPart(thing) ? undefined : !wanted;
  };
}

function wordTest<Thing>(text: string, { anywhere }: ReadFields<Thing>): Partly<Thing> {
  const part = text.toLowerCase();
  return partly((thing) => anywhere.of(thing).some((one) => one.holds(part)), anywhere.isPart);
}

function termTest<Thing>(term: Term, now: number, fields: ReadFields<Thing>): Partly<Thing> {
  const { field, value } = term;
  const { numbers, durations, at, hides = () => false } = fields;
  const texts = ownOf(fields.texts, field);
  if (texts !== undefined) {
    const { fits, wanted } = textTest(term);
    return partly((thing) => texts.of(thing).some(fits), texts.isPart, wanted);
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
  return (thing) => (hides(thing, field) ? undefined : fits(numberOf(thing)));
}

function fieldNames<Thing>({ texts, numbers, durations, payload }: ReadFields<Thing>): string {
  const known = [texts, numbers, durations].flatMap((table) => Object.keys(table));
  const more = typeof payload === "function" ? ["payload.<field>"] : [];
  return [...known, "at", "age", ...more].join(", ");
}

function payloadTest<Thing>(term: Term, { payload }: ReadFields<Thing>): Partly<Thing> {
  if (typeof payload === "string") throw wrong(term, payload);
  const path = term.field === "payload" ? undefined : term.field.slice("payload.".length);
  const { fits, wanted } = leafTest(term);
  return partly(
    (thing) =>
      payload(thing).leaves.some(
        (leaf) => (path === undefined || leaf.path === path) && fits(leaf),
      ),
    (thing) => hidesAt(payload(thing), path),
    wanted,
  );
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
      const compares = comparison(term, numberOf(term, term.value));
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
      return { fits: ({ folded }) => fits(folded), wanted };
    }
  }
}

function textTest(term: Term): Wanted<FoldedText> {
  const { operator, value } = term;
  const part = value.toLowerCase();
  switch (operator) {
    case "=":
    case "!=": {
      const whole = wholeText(value);
      return { fits: ({ text }) => whole(text), wanted: operator === "=" };
    }
    case ":": {
      const whole = wholeText(part);
      return { fits: ({ lower }) => whole(lower), wanted: true };
    }
    case "~":
    case "!~":
      return { fits: (text) => text.holds(part), wanted: operator === "~" };
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

function comparison(term: Term, limit: Amount): (value: Amount) => boolean {
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

function numberOf(term: Term, value: string): Amount {
  const number = amountOf(value);
  if (number !== undefined) return number;
  throw wrong(term, "a number after <, >, <= or >=");
}

/** Ids and amounts that are larger than a number holds exactly come as texts. */
type Amount = number | bigint;

/** To read more of them exactly takes ever longer, and a payload may hold a million. */
const MOST_DIGITS = 400;

function amountOf(text: string): Amount | undefined {
  if (!/^-?\d+(?:\.\d+)?(?:e[+-]?\d{1,3})?$/i.test(text)) return undefined;
  const number = Number(text);
  const isRounded = !Number.isSafeInteger(number) && /^-?\d+$/.test(text);
  return isRounded && text.length <= MOST_DIGITS ? BigInt(text) : number;
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
