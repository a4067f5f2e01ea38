import { entriesOf, fieldOf } from "./foreign-object.ts";

/** Of one `AggregateError`. */
const MAX_ERRORS = 10;
/** Of one and of all that it holds. */
const MAX_ERRORS_IN_ALL = 30;

/**
 * An error's own fields, but for what is shown of every error in its own way.
 *
 * @param errors what `InnerErrors` shows of it, where it does
 */
export function ownEntriesOf(
  error: Error,
  errors: readonly unknown[] | undefined,
): ReturnType<typeof entriesOf> {
  return entriesOf(error).filter(
    ([key]) => key !== "cause" && (key !== "errors" || errors === undefined),
  );
}

/**
 * What of the errors of `AggregateError`s is shown: `Promise.any` makes one with as many as it was
 * given, and to mask a stack takes its time.
 */
export class InnerErrors {
  #left = MAX_ERRORS_IN_ALL;

  /** The first ones, and how many more there are; undefined where it has no list of them. */
  of(error: Error): readonly unknown[] | undefined {
    if (!(error instanceof AggregateError)) return undefined;
    const errors: unknown = fieldOf(error, "errors");
    if (!Array.isArray(errors)) return undefined;
    const shown: readonly unknown[] = errors.slice(0, Math.min(MAX_ERRORS, this.#left));
    this.#left -= shown.length;
    const more = errors.length - shown.length;
    return more === 0 ? shown : [...shown, `(${more} more)`];
  }
}
