import { decodeBody, errorFingerprint, type StoredDeadLetter } from "@millrace/core";
import { type Mask, showValue, type ShowValue } from "@millrace/telemetry/masking";
import type { FilterFields } from "../../filter/filter-fields.ts";
import { parseFilter } from "../../filter/filter-test.ts";
import { maskedTexts } from "../../filter/masked-texts.ts";
import { seePayload, type SeenPayload, UNSEEN } from "../../filter/seen-payload.ts";

/** Whether a letter is meant. */
export type LetterTest = (letter: StoredDeadLetter) => boolean;

/**
 * Everything is masked first: otherwise a caller that counts matches could guess a secret letter by
 * letter.
 */
function fieldsOf(mask: Mask): FilterFields<StoredDeadLetter> {
  const texts: FilterFields<StoredDeadLetter>["texts"] = {
    id: ({ id }) => id,
    name: ({ name }) => name ?? "",
    queue: ({ queue }) => queue,
    // A filter on jobs, `state:dead attempts>3`, means the same letters.
    state: () => "dead",
    reason: ({ reason }) => reason,
    node: ({ node }) => node,
    error: ({ error }) => error?.type ?? "",
    message: ({ error }) => error?.message ?? "",
    fingerprint: ({ error }) =>
      error === undefined ? "" : errorFingerprint(error, mask.text).fingerprint,
  };
  return {
    ...maskedTexts(texts, ["message"], mask),
    numbers: { attempts: ({ attempts }) => attempts },
    durations: {},
    at: ({ at }) => at,
    payload: (letter) => seenPayload(letter, showValue(false, mask)),
    words: ["id", "name", "queue", "reason", "error", "message"],
  };
}

function seenPayload({ body, headers }: StoredDeadLetter, show: ShowValue): SeenPayload {
  try {
    const read = decodeBody(body, headers["content-type"]);
    // Where a payload could not be written, a letter was stored without it.
    if (typeof read !== "object" || read === null || !("payload" in read)) return UNSEEN;
    return seePayload(show(read.payload), read.payload);
  } catch {
    return UNSEEN;
  }
}

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
