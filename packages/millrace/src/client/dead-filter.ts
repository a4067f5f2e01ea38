import { MillraceError, type StoredDeadLetter, toMs } from "@millrace/core";

/** Whether a letter is meant. */
export type LetterTest = (letter: StoredDeadLetter) => boolean;

type Operator = "=" | "!=" | "~" | "!~" | ">" | "<" | ">=" | "<=";

/**
 * What a term can ask about, and what a letter says to it. Texts first; a missing one is an empty
 * text.
 */
const TEXTS: Readonly<Record<string, (letter: StoredDeadLetter) => string>> = {
  id: ({ id }) => id,
  name: ({ name }) => name ?? "",
  queue: ({ queue }) => queue,
  reason: ({ reason }) => reason,
  node: ({ node }) => node,
  error: ({ error }) => error?.type ?? "",
  message: ({ error }) => error?.message ?? "",
};
const NUMBERS: Readonly<Record<string, (letter: StoredDeadLetter) => number>> = {
  attempts: ({ attempts }) => attempts,
  at: ({ at }) => at,
};
const FIELDS = [...Object.keys(TEXTS), ...Object.keys(NUMBERS), "age"];

/** `field`, operator, value; the value in quotes where it holds blanks. */
const TERM =
  /\s*([A-Za-z]+)(!=|!~|>=|<=|=|~|>|<)(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']\S*))(?=\s|$)/y;

/**
 * Reads a filter on dead letters: terms that must all hold, with blanks between them.
 *
 * - `name=mail.*`, `error!=TimeoutError`: the whole text, where `*` stands for anything; fields
 *   `id`, `name`, `queue`, `reason`, `node`, `error` (its type) and `message` (its text)
 * - `message~refused`, `message!~"no such user"`: a part of the text, in whatever case
 * - `attempts>3`, `at>=2030-01-01T00:00Z`, `age<2h`: numbers, times and how long ago the job died
 *
 * @param now epoch milliseconds, for `age`
 * @throws MillraceError `invalid-option`, naming the term
 * @example
 * const test = parseDeadFilter('error=TimeoutError message~"bank" age<1h', Date.now());
 */
export function parseDeadFilter(text: string, now: number): LetterTest {
  const tests: LetterTest[] = [];
  const term = new RegExp(TERM);
  for (let at = 0; at < text.trimEnd().length; at = term.lastIndex) {
    term.lastIndex = at;
    const found = term.exec(text);
    if (found === null)
      throw wrong(text.slice(at).trim(), "a term such as name=mail.* or message~refused");
    const [whole, field = "", operator = "=", escaped, quoted, bare] = found;
    const value = escaped?.replaceAll(/\\(.)/g, "$1") ?? quoted ?? bare ?? "";
    tests.push(testOf(whole.trim(), field.toLowerCase(), operator as Operator, value, now));
  }
  if (tests.length === 0) throw wrong(text, "at least one term such as reason=fatal");
  return (letter) => tests.every((test) => test(letter));
}

function testOf(
  term: string,
  field: string,
  operator: Operator,
  value: string,
  now: number,
): LetterTest {
  const textOf = TEXTS[field];
  if (textOf !== undefined) {
    const fits = textTest(term, operator, value);
    return (letter) => fits(textOf(letter));
  }
  if (field === "age") {
    const limit = durationOf(term, value);
    const fits = numberTest(term, operator, limit);
    return ({ at }) => fits(now - at);
  }
  const numberOf = NUMBERS[field];
  if (numberOf === undefined) throw wrong(term, `one of the fields ${FIELDS.join(", ")}`);
  const fits = numberTest(
    term,
    operator,
    field === "at" ? timeOf(term, value) : countOf(term, value),
  );
  return (letter) => fits(numberOf(letter));
}

function textTest(term: string, operator: Operator, value: string): (text: string) => boolean {
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

function numberTest(term: string, operator: Operator, limit: number): (value: number) => boolean {
  switch (operator) {
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

function countOf(term: string, value: string): number {
  if (/^\d+$/.test(value)) return Number(value);
  throw wrong(term, "a whole number");
}

function timeOf(term: string, value: string): number {
  const ms = /^\d{10,}$/.test(value) ? Number(value) : Date.parse(value);
  if (Number.isNaN(ms)) throw wrong(term, "a time such as 2030-01-01T00:00Z");
  return ms;
}

function durationOf(term: string, value: string): number {
  try {
    return toMs(value);
  } catch {
    throw wrong(term, "a duration such as 30m or 2h");
  }
}

function wrong(term: string, expected: string): MillraceError {
  return new MillraceError("invalid-option", `filter: must hold ${expected}; got ${term}.`);
}
