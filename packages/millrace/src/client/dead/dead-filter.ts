import { errorFingerprint, type StoredDeadLetter } from "@millrace/core";
import { type Mask, payloadOf, showValue } from "@millrace/telemetry/masking";
import type { FilterFields } from "../../filter/filter-fields.ts";
import { parseFilter } from "../../filter/filter-test.ts";

/** Whether a letter is meant. */
export type LetterTest = (letter: StoredDeadLetter) => boolean;

/**
 * Everything is masked first: otherwise a caller that counts matches could guess a secret letter by
 * letter.
 */
const fieldsOf = (mask: Mask): FilterFields<StoredDeadLetter> => ({
  texts: {
    id: ({ id }) => id,
    name: ({ name }) => name ?? "",
    queue: ({ queue }) => queue,
    // A filter on jobs, `state:dead attempts>3`, means the same letters.
    state: () => "dead",
    reason: ({ reason }) => reason,
    node: ({ node }) => node,
    error: ({ error }) => error?.type ?? "",
    message: ({ error }) => mask.text(error?.message ?? ""),
    fingerprint: ({ error }) =>
      error === undefined ? "" : errorFingerprint(error, mask.text).fingerprint,
  },
  numbers: { attempts: ({ attempts }) => attempts },
  durations: {},
  at: ({ at }) => at,
  payload: (letter) => {
    const read = payloadOf(letter, showValue(false, mask));
    return "payload" in read ? read.payload : undefined;
  },
  words: ["id", "name", "queue", "reason", "error", "message"],
});

/**
 * Reads a filter on dead letters, in the language of `docs/filters.md`. Secrets in payloads are
 * masked before they are looked at.
 *
 * @param now epoch milliseconds, for `age`
 * @param mask what hides secrets
 * @throws FilterError (`invalid-filter`) with the place at which it goes wrong
 * @example
 * const test = parseDeadFilter('error=TimeoutError payload.customer:42', Date.now(), createMask());
 */
export function parseDeadFilter(text: string, now: number, mask: Mask): LetterTest {
  return parseFilter(text, now, fieldsOf(mask));
}
