import { hasBrand } from "./brand.ts";
import { ERROR_CODES, type ErrorCode } from "./codes.ts";
import { errorHelp } from "./error-help.ts";

const BRAND = Symbol.for("millrace.error");
/**
 * A symbol, because Node prints those of an error, also of one that nobody caught, and nothing that
 * writes an error down (records, logs, JSON) takes them along.
 */
const HELP = Symbol("help");

/**
 * The one error family. `code` is stable and listed in `docs/errors.md`; the message says what to
 * do. `help` leads to the code's entry, and Node prints it with the error.
 *
 * @example
 * try { await millrace.enqueue(job, input) }
 * catch (error) { if (MillraceError.is(error, "queue-full")) await later() }
 */
export class MillraceError extends Error {
  readonly code: ErrorCode;
  declare readonly [BRAND]: true;
  private readonly [HELP]: string;

  static {
    Object.defineProperty(this.prototype, BRAND, { value: true });
  }

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "MillraceError";
    this.code = code;
    this[HELP] = errorHelp(code);
  }

  /**
   * The way to the entry of `code` in the documentation: its address, or the command for it.
   * No record, dead letter or log line carries it.
   *
   * @example
   * if (MillraceError.is(error)) console.error(`${error.message} See: ${error.help}`);
   */
  get help(): string {
    return this[HELP];
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
