import type { MillraceError } from "../errors/millrace-error.ts";

/** What became of one letter that was to be retried or discarded. */
export type DeadLetterResult =
  | { readonly ok: true; readonly id: string; readonly queue: string }
  | {
      readonly ok: false;
      readonly id: string;
      readonly queue: string;
      readonly error: MillraceError;
    };

/** How many were settled and how many could not be, as the audit counts them. */
export function tallyLetters(results: readonly DeadLetterResult[]): {
  readonly count: number;
  readonly failed: number;
} {
  const count = results.filter(({ ok }) => ok).length;
  return { count, failed: results.length - count };
}
