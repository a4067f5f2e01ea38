import { MillraceError, toMs } from "@millrace/core";

type Operator = "=" | "!=" | "~" | "!~" | ">" | "<" | ">=" | "<=";

/** What terms can ask about, and what a thing says to it. A text that is missing is empty. */
export interface TermFields<Thing> {
  readonly texts: Readonly<Record<string, (thing: Thing) => string>>;
  /** Of what is missing no term holds. */
  readonly numbers: Readonly<Record<string, (thing: Thing) => number | undefined>>;
  /** Lengths of time, milliseconds; terms write them as `5s`. */
  readonly durations: Readonly<Record<string, (thing: Thing) => number | undefined>>;
  /** When it was, epoch milliseconds: for `at` and `age`. */
  readonly at: (thing: Thing) => number | undefined;
}

/** A term as it stands in the text. */
interface Term {
  readonly whole: string;
  /** Counted from 1. */
  readonly place: number;
  readonly field: string;
  readonly operator: Operator;
  readonly value: string;
}

/** `field`, operator, value; the value in quotes where it holds blanks. */
const TERM =
  /\s*([A-Za-z]+)(!=|!~|>=|<=|=|~|>|<)(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']\S*))(?=\s|$)/y;

/**
 * Reads terms that must all hold, with blanks between them.
 *
 * @param now epoch milliseconds, for `age`
 * @throws MillraceError `invalid-option`, naming the term and its place
 */
export function parseTerms<Thing>(
  text: string,
  now: number,
  fields: TermFields<Thing>,
): (thing: Thing) => boolean {
  const tests = termsOf(text).map((term) => testOf(term, now, fields));
  return (thing) => tests.every((test) => test(thing));
}

function termsOf(text: string): readonly Term[] {
  const terms: Term[] = [];
  const term = new RegExp(TERM);
  for (let at = 0; at < text.trimEnd().length; at = term.lastIndex) {
    term.lastIndex = at;
    const found = term.exec(text);
    const rest = text.slice(at);
    const place = at + rest.length - rest.trimStart().length + 1;
    if (found === null)
      throw wrong({ whole: rest.trim(), place }, "a term such as name=mail.* or message~refused");
    const [whole, field = "", operator = "=", escaped, quoted, bare] = found;
    const value = escaped?.replaceAll(/\\(.)/g, "$1") ?? quoted ?? bare ?? "";
    terms.push({
      ...{ whole: whole.trim(), place, value },
      ...{ field: field.toLowerCase(), operator: operator as Operator },
    });
  }
  if (terms.length === 0)
    throw wrong({ whole: text, place: 1 }, "at least one term such as name=mail.*");
  return terms;
}

function testOf<Thing>(
  term: Term,
  now: number,
  { texts, numbers, durations, at }: TermFields<Thing>,
): (thing: Thing) => boolean {
  const { field, value } = term;
  const textOf = ownOf(texts, field);
  if (textOf !== undefined) {
    const fits = textTest(term, term.operator, value);
    return (thing) => fits(textOf(thing));
  }
  if (field === "age") {
    const fits = numberTest(term, durationOf(term, value));
    return (thing) => fits(map(at(thing), (then) => now - then));
  }
  if (field === "at") {
    const fits = numberTest(term, timeOf(term, value));
    return (thing) => fits(at(thing));
  }
  const lengthOf = ownOf(durations, field);
  const numberOf = lengthOf ?? ownOf(numbers, field);
  if (numberOf === undefined) {
    const known = [...Object.keys(texts), ...Object.keys(numbers), ...Object.keys(durations)];
    throw wrong(term, `one of the fields ${[...known, "at", "age"].join(", ")}`);
  }
  const limit = lengthOf === undefined ? countOf(term, value) : durationOf(term, value);
  const fits = numberTest(term, limit);
  return (thing) => fits(numberOf(thing));
}

/** What every object has is no field. */
function ownOf<Value>(table: Readonly<Record<string, Value>>, field: string): Value | undefined {
  return Object.hasOwn(table, field) ? table[field] : undefined;
}

function map(value: number | undefined, to: (value: number) => number): number | undefined {
  return value === undefined ? undefined : to(value);
}

function textTest(term: Term, operator: Operator, value: string): (text: string) => boolean {
  const part = value.toLowerCase();
  const whole = new RegExp(`^${value.split("*").map(literally).join(".*")}$`, "s");
  switch (operator) {
    case "=":
      return (text) => whole.test(text);
    case "!=":
      return (text) => !whole.test(text);
    case "~":
      return (text) => text.toLowerCase().includes(part);
    case "!~":
      return (text) => !text.toLowerCase().includes(part);
    default:
      throw wrong(term, "=, !=, ~ or !~ after a text's field");
  }
}

function numberTest(term: Term, limit: number): (value: number | undefined) => boolean {
  const compares = comparison(term, limit);
  return (value) => value !== undefined && compares(value);
}

function comparison(term: Term, limit: number): (value: number) => boolean {
  switch (term.operator) {
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
      throw wrong(term, "=, !=, <, >, <= or >= after a number's field");
  }
}

function literally(text: string): string {
  return text.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&");
}

function countOf(term: Term, value: string): number {
  if (/^\d+$/.test(value)) return Number(value);
  throw wrong(term, "a whole number");
}

function timeOf(term: Term, value: string): number {
  const ms = /^\d{10,}$/.test(value) ? Number(value) : Date.parse(value);
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

function wrong({ whole, place }: Pick<Term, "whole" | "place">, expected: string): MillraceError {
  return new MillraceError(
    "invalid-option",
    `filter: must hold ${expected}; got ${whole} at character ${place}.`,
  );
}
