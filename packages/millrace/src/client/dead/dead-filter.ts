import { errorFingerprint, type StoredDeadLetter } from "@millrace/core";
import { type Mask, payloadOf, showValue } from "@millrace/telemetry/masking";
import {
  type FilterFields,
  hiddenPaths,
  hidesPayload,
  onceEach,
} from "../../filter/filter-fields.ts";
import { parseFilter } from "../../filter/filter-test.ts";

/** Whether a letter is meant. */
export type LetterTest = (letter: StoredDeadLetter) => boolean;

/**
 * Everything is masked first: otherwise a caller that counts matches could guess a secret letter by
 * letter.
 */
function fieldsOf(mask: Mask): FilterFields<StoredDeadLetter> {
  const payloadBy = (show: (value: unknown) => unknown) =>
    onceEach((letter: StoredDeadLetter) => payloadOf(letter, show));
  const [shown, plain] = [payloadBy(showValue(false, mask)), payloadBy((value) => value)];
  const valueOf = (read: ReturnType<typeof payloadOf>): unknown =>
    "payload" in read ? read.payload : undefined;
  const hidden = onceEach((letter: StoredDeadLetter) =>
    hiddenPaths(valueOf(plain(letter)), valueOf(shown(letter))),
  );
  return {
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
    payload: (letter) => valueOf(shown(letter)),
    words: ["id", "name", "queue", "reason", "error", "message"],
    hides: (letter, field) => {
      const message = letter.error?.message ?? "";
      if (field === "message") return mask.text(message) !== message;
      // Of what can't be read nobody can say that something is not in it.
      return hidesPayload(field, () => ("payload" in shown(letter) ? hidden(letter) : undefined));
    },
  };
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
