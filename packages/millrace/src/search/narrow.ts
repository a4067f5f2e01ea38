import { toMs } from "@millrace/core";
import type { FilterTree, Term } from "../filter/filter-tree.ts";

/** A condition that each job which fits a filter meets; others may meet it, too. */
export interface Narrowing {
  /** With `?` for each value. */
  readonly sql: string;
  readonly values: readonly (string | number)[];
  /** Whether none other does. */
  readonly exact: boolean;
}

export type Condition = Omit<Narrowing, "exact">;

/** What each kind of database is asked in words of its own. */
export interface Dialect {
  /** The column has these letters, A to Z in whatever case. */
  sameLetters(column: string, value: string): Condition;
  /** Somewhere in its words is this part, which is in small letters and printable ASCII. */
  hasWord(part: string): Condition;
  /** Somewhere in its words is this part, which may be of any letters, or short. */
  hasLetters(part: string): Condition;
  /** The payload has something at the path. */
  hasPath(path: string): Condition;
  /** The payload has this at the path. `value` is as `leafValue` says. */
  hasLeaf(path: string, value: string): Condition;
  /** It may have a number at the path that is as much, or more, or less. */
  hasNumber(path: string, isAbove: boolean, limit: number): Condition;
  /** One of its attempts failed of that. */
  failedOf(fingerprint: string): Condition;
}

/** Longer values of payloads are looked up by their beginning. */
export const LEAF_CHARACTERS = 200;

/** Fields whose texts are all in the column `words`. */
const WORD_FIELDS: ReadonlySet<string> = new Set([
  ...["id", "name", "queue", "error", "message", "reason", "tag"],
]);
/** Columns that are never empty, and letters without case but for A to Z. */
const COLUMNS: ReadonlySet<string> = new Set(["id", "name", "queue"]);

/**
 * The part of a filter that a database can look up. What it finds is tested by the filter itself,
 * so there is one meaning of a filter and not two.
 */
export function narrow(tree: FilterTree, now: number, by: Dialect): Narrowing | undefined {
  switch (tree.kind) {
    case "and": {
      const parts = tree.of.map((part) => narrow(part, now, by));
      const known = parts.filter((part) => part !== undefined);
      if (known.length === 0) return undefined;
      const exact = known.length === parts.length && known.every((part) => part.exact);
      return joined(known, " and ", exact);
    }
    case "or": {
      const parts = tree.of.map((part) => narrow(part, now, by));
      const known = parts.filter((part) => part !== undefined);
      // One that can't be looked up may be met by any.
      if (known.length < parts.length) return undefined;
      return joined(
        known,
        " or ",
        known.every((part) => part.exact),
      );
    }
    case "not": {
      const part = narrow(tree.of, now, by);
      return part?.exact === true ? { ...part, sql: `not (${part.sql})` } : undefined;
    }
    case "text":
      return holdsWord(tree.text, by);
    case "term":
      return narrowTerm(tree, now, by);
  }
}

function joined(parts: readonly Narrowing[], word: string, exact: boolean): Narrowing {
  return {
    sql: parts.map(({ sql }) => `(${sql})`).join(word),
    values: parts.flatMap(({ values }) => values),
    exact,
  };
}

function narrowTerm(term: Term, now: number, by: Dialect): Narrowing | undefined {
  const { field, operator, value } = term;
  if (field === "attempts") return number("attempts", operator, Number(value));
  if (field === "at") return number("at", operator, timeOf(value));
  if (field === "took") return loose(number("duration_ms", operator, toMs(value)));
  if (field === "age") return number("at", MIRRORED[operator] ?? operator, now - toMs(value));
  if (operator === "!=" || operator === "!~") return excluded(term);
  if (field === "payload") return COMPARES.has(operator) ? undefined : wordsOf(operator, value, by);
  if (field.startsWith("payload."))
    return leaf(field.slice("payload.".length), operator, value, by);
  if (field === "fingerprint") return failedOf(operator, value, by);
  if (field === "state" && !value.includes("*") && operator !== "~")
    return {
      sql: "state = ?",
      values: [operator === ":" ? value.toLowerCase() : value],
      exact: true,
    };
  if (COLUMNS.has(field) && !value.includes("*") && operator !== "~")
    return { ...by.sameLetters(field, value), exact: operator === ":" };
  return WORD_FIELDS.has(field) ? wordsOf(operator, value, by) : undefined;
}

/** Fingerprints have small letters only. */
function failedOf(operator: Term["operator"], value: string, by: Dialect): Narrowing {
  if (operator === "~" || value.includes("*"))
    return { sql: "causes is not null", values: [], exact: false };
  return { ...by.failedOf(value.toLowerCase()), exact: false };
}

/** What is not so. */
function excluded({ field, operator, value }: Term): Narrowing | undefined {
  if (field !== "state" || operator !== "!=" || value.includes("*")) return undefined;
  return { sql: "state <> ?", values: [value], exact: true };
}

function wordsOf(operator: Term["operator"], value: string, by: Dialect): Narrowing | undefined {
  if (operator === "~") return holdsWord(value, by);
  const parts = value.split("*").toSorted((a, b) => b.length - a.length);
  return holdsWord(parts[0] ?? "", by);
}

function holdsWord(text: string, by: Dialect): Narrowing | undefined {
  if (text === "") return undefined;
  const part = text.toLowerCase();
  return { ...(WORD.test(part) ? by.hasWord(part) : by.hasLetters(part)), exact: false };
}

/** An index of words knows three letters in a row; a long word needs no more than some of them. */
export function threesOf(word: string): readonly string[] {
  const all = Array.from({ length: word.length - 2 }, (_, at) => word.slice(at, at + 3));
  return [...new Set(all)].slice(0, MOST_THREES);
}

const MOST_THREES = 30;
/** An age that is less is a time that is later. */
const MIRRORED: Readonly<Partial<Record<Term["operator"], Term["operator"]>>> = {
  ...{ ">": "<", "<": ">", ">=": "<=", "<=": ">=" },
};

/** Letters whose small form is the same to each database as to JavaScript. */
const WORD = /^[ -~]{3,}$/;
const COMPARES: ReadonlySet<string> = new Set([">", "<", ">=", "<="]);

function leaf(path: string, operator: Term["operator"], value: string, by: Dialect): Narrowing {
  if (COMPARES.has(operator))
    return { ...by.hasNumber(path, operator.startsWith(">"), Number(value)), exact: false };
  if (operator === "~" || value.includes("*")) return { ...by.hasPath(path), exact: false };
  return { ...by.hasLeaf(path, leafValue(value)), exact: false };
}

export function leafValue(value: string | number): string {
  return String(value).toLowerCase().slice(0, LEAF_CHARACTERS);
}

function number(column: string, operator: Term["operator"], limit: number): Narrowing {
  const sign = operator === ":" ? "=" : operator === "!=" ? "<>" : operator;
  return { sql: `${column} ${sign} ?`, values: [limit], exact: true };
}

/** Where the column may be empty, `not` of it is not what is left. */
function loose(narrowing: Narrowing): Narrowing {
  return { ...narrowing, exact: false };
}

function timeOf(value: string): number {
  return /^\d{10,15}$/.test(value) ? Number(value) : Date.parse(value);
}
