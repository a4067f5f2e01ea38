import type { StoredDeadLetter } from "@millrace/core";
import { parseTerms, type TermFields } from "../term-filter.ts";

/** Whether a letter is meant. */
export type LetterTest = (letter: StoredDeadLetter) => boolean;

const FIELDS: TermFields<StoredDeadLetter> = {
  texts: {
    id: ({ id }) => id,
    name: ({ name }) => name ?? "",
    queue: ({ queue }) => queue,
    reason: ({ reason }) => reason,
    node: ({ node }) => node,
    error: ({ error }) => error?.type ?? "",
    message: ({ error }) => error?.message ?? "",
  },
  numbers: { attempts: ({ attempts }) => attempts },
  durations: {},
  at: ({ at }) => at,
};

/**
 * Reads a filter on dead letters: terms that must all hold, with blanks between them.
 *
 * - `name=mail.*`, `error!=TimeoutError`: the whole text, where `*` stands for anything; fields
 *   `id`, `name`, `queue`, `reason`, `node`, `error` (its type) and `message` (its text)
 * - `message~refused`, `message!~"no such user"`: a part of the text, in whatever case
 * - `attempts>3`, `at>=2030-01-01T00:00Z`, `age<2h`: numbers, times and how long ago the job died
 *
 * @param now epoch milliseconds, for `age`
 * @throws MillraceError `invalid-option`, naming the term and its place
 * @example
 * const test = parseDeadFilter('error=TimeoutError message~"bank" age<1h', Date.now());
 */
export function parseDeadFilter(text: string, now: number): LetterTest {
  return parseTerms(text, now, FIELDS);
}
