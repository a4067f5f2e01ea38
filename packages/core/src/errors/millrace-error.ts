import { hasBrand } from "./brand.ts";
import { ERROR_CODES, type ErrorCode } from "./codes.ts";

const BRAND = Symbol.for("millrace.error");

/**
 * The one error family. `code` is stable and listed in `docs/errors.md`; the message says what to
 * do.
 *
 * @example
 * try { await millrace.enqueue(job, input) }
 * catch (error) { if (MillraceError.is(error, "queue-full")) await later() }
 */
export class MillraceError extends Error {
  readonly code: ErrorCode;
  readonly [BRAND] = true;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "MillraceError";
    this.code = code;
  }

  /** True for any error of the family, or for one code of it. */
  static is(value: unknown, code?: ErrorCode): value is MillraceError {
    return (
      hasBrand(value, BRAND) && (code === undefined || ("code" in value && value.code === code))
    );
  }
}

/** Narrows a string that came from a wire or a file to a code of the table. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERROR_CODES, value);
}
