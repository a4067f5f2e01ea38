import { toMs } from "@millrace/core";
import type { FilterTree, Term } from "../filter/filter-tree.ts";

/** A condition that each job which fits a filter meets; others may meet it, too. */
export interface Narrowing {
  readonly sql: string;
  readonly values: readonly (string | number)[];
  /** Whether none other does. */
  readonly exact: boolean;
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
 * The part of a filter that SQLite can look up. What it finds is tested by the filter itself, so
 * there is one meaning of a filter and not two.
 */
export function narrow(tree: FilterTree, now: number): Narrowing | undefined {
  switch (tree.kind) {
    case "and": {
      const parts = tree.of.map((part) => narrow(part, now));
      const known = parts.filter((part) => part !== undefined);
      if (known.length === 0) return undefined;
      const exact = known.length === parts.length && known.every((part) => part.exact);
      return joined(known, " and ", exact);
    }
    case "or": {
      const parts = tree.of.map((part) => narrow(part, now));
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
      const part = narrow(tree.of, now);
      return part?.exact === true ? { ...part, sql: `not (${part.sql})` } : undefined;
    }
    case "text":
      return holdsWord(tree.text);
    case "term":
      return narrowTerm(tree, now);
  }
}

function joined(parts: readonly Narrowing[], by: string, exact: boolean): Narrowing {
  return {
    sql: parts.map(({ sql }) => `(${sql})`).join(by),
    values: parts.flatMap(({ values }) => values),
    exact,
  };
}

function narrowTerm(term: Term, now: number): Narrowing | undefined {
  const { field, operator, value } = term;
  if (field === "attempts") return number("attempts", operator, Number(value));
  if (field === "at") return number("at", operator, timeOf(value));
  if (field === "took") return loose(number("duration_ms", operator, toMs(value)));
  if (field === "age") return number("at", MIRRORED[operator] ?? operator, now - toMs(value));
  if (operator === "!=" || operator === "!~") return excluded(term);
  if (field === "payload") return COMPARES.has(operator) ? undefined : wordsOf(operator, value);
  if (field.startsWith("payload.")) return leaf(field.slice("payload.".length), operator, value);
  if (field === "fingerprint") return failedOf(operator, value);
  if (field === "state" && !value.includes("*") && operator !== "~")
    return {
      sql: "state = ?",
      values: [operator === ":" ? value.toLowerCase() : value],
      exact: true,
    };
  if (COLUMNS.has(field) && !value.includes("*") && operator !== "~")
    return { sql: `${field} = ? collate nocase`, values: [value], exact: operator === ":" };
  return WORD_FIELDS.has(field) ? wordsOf(operator, value) : undefined;
}

/** Fingerprints have small letters only. */
function failedOf(operator: Term["operator"], value: string): Narrowing | undefined {
  if (operator === "~" || value.includes("*"))
    return { sql: "causes is not null", values: [], exact: false };
  const sql = "key in (select job from failing where fingerprint = ?)";
  return { sql, values: [value.toLowerCase()], exact: false };
}

/** What is not so. */
function excluded({ field, operator, value }: Term): Narrowing | undefined {
  if (field !== "state" || operator !== "!=" || value.includes("*")) return undefined;
  return { sql: "state <> ?", values: [value], exact: true };
}

function wordsOf(operator: Term["operator"], value: string): Narrowing | undefined {
  if (operator === "~") return holdsWord(value);
  const parts = value.split("*").toSorted((a, b) => b.length - a.length);
  return holdsWord(parts[0] ?? "");
}

function holdsWord(text: string): Narrowing | undefined {
  if (text === "") return undefined;
  const part = text.toLowerCase();
  if (!WORD.test(part)) return { sql: "instr(words, ?) > 0", values: [part], exact: false };
  const match = threes(part).map((three) => `"${three.replaceAll('"', '""')}"`);
  return {
    sql: "key in (select rowid from word where word match ?)",
    values: [match.join(" AND ")],
    exact: false,
  };
}

/** The index of words knows three letters in a row; a long word needs no more than some of them. */
function threes(word: string): readonly string[] {
  const all = Array.from({ length: word.length - 2 }, (_, at) => word.slice(at, at + 3));
  return [...new Set(all)].slice(0, MOST_THREES);
}

const MOST_THREES = 30;
/** An age that is less is a time that is later. */
const MIRRORED: Readonly<Partial<Record<Term["operator"], Term["operator"]>>> = {
  ...{ ">": "<", "<": ">", ">=": "<=", "<=": ">=" },
};

/** Letters whose small form is the same to SQLite as to JavaScript. */
const WORD = /^[ -~]{3,}$/;
const COMPARES: ReadonlySet<string> = new Set([">", "<", ">=", "<="]);

function leaf(path: string, operator: Term["operator"], value: string): Narrowing {
  const at = "key in (select job from leaf where path = ?";
  if (COMPARES.has(operator)) {
    const [limit, isAbove] = [Number(value), operator.startsWith(">")];
    // SQLite may read the last digit of a number otherwise than JavaScript does.
    const slack = Number.isFinite(limit) ? Math.abs(limit) * 1e-9 : 0;
    const isCut = `length(value) = ${LEAF_CHARACTERS}`;
    const sql = `${at} and (${isCut} or cast(value as real) ${isAbove ? ">=" : "<="} ?))`;
    return { sql, values: [path, limit + (isAbove ? -slack : slack)], exact: false };
  }
  if (operator === "~" || value.includes("*"))
    return { sql: `${at})`, values: [path], exact: false };
  return { sql: `${at} and value = ?)`, values: [path, leafValue(value)], exact: false };
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
