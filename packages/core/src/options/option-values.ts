import type { ErrorCode } from "../errors/codes.ts";
import { MillraceError } from "../errors/millrace-error.ts";

/** The error of an option: from JavaScript it may be anything, and most would be silently wrong. */
export function mustBe(
  field: string,
  expected: string,
  value: unknown,
  code: ErrorCode = "invalid-option",
): MillraceError {
  const shown =
    typeof value === "object" && value !== null ? "an object" : String(value).slice(0, 80);
  return new MillraceError(code, `${field}: must be ${expected}; got ${shown}.`);
}

const MOST_SHOWN = 120;

/** What was given, for an error: JSON has no form for all that it may be. */
export function shownValue(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  try {
    const text = JSON.stringify(value) ?? String(value);
    return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN - 1)}…` : text;
  } catch {
    return typeof value === "object" ? "an object" : typeof value;
  }
}

/**
 * What is given as options is an object.
 *
 * @throws MillraceError `invalid-option`, or of the code that is given
 */
export function requireOptions(
  value: unknown,
  of: string,
  within = "options",
  code?: ErrorCode,
): void {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  // It may be something else that was given in the wrong place, and nothing to be shown.
  const kind = Array.isArray(value) ? "list" : typeof value;
  const shown = value === null || value === undefined ? String(value) : `a ${kind}`;
  throw mustBe(within, `an object with the options of ${of}`, shown, code);
}

/**
 * By what it can do: a test's environment may have an AbortSignal of its own.
 *
 * @throws MillraceError `invalid-option`, or of the code that is given
 */
export function requireSignal(value: unknown, of: string, code?: ErrorCode): void {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>;
  if (typeof aborted !== "boolean" || typeof addEventListener !== "function")
    throw mustBe("signal", `an AbortSignal for ${of}`, value, code);
}

/** @throws MillraceError `invalid-option` */
export function requireText(value: string, field: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw mustBe(field, "a text that is not empty", value);
}

/**
 * For what is given as one of several things that act: a broker, a store, a handler.
 *
 * @param method one that it has to have
 * @throws MillraceError `invalid-option`
 */
export function requireMethod<Of extends object>(
  value: Of,
  field: string,
  method: keyof Of & string,
): Of {
  if (typeof (value as Of | null | undefined)?.[method] === "function") return value;
  throw mustBe(field, `an object with a method ${method}()`, value);
}

/** @throws MillraceError `invalid-option` */
export function requireCount(
  value: number,
  field: string,
  least = 1,
  most = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  throw mustBe(field, `a whole number ${range}`, value);
}

/**
 * How many to list, where all of them may be asked for.
 *
 * @throws MillraceError `invalid-option`
 */
export function requireLimit(limit: number, least = 1): number {
  if (limit === Number.POSITIVE_INFINITY) return limit;
  if (Number.isSafeInteger(limit) && limit >= least) return limit;
  throw mustBe("limit", `a whole number from ${least}, or Infinity for all`, limit);
}

/** @throws MillraceError `invalid-option` */
export function requireFlag(value: boolean, field: string): boolean {
  if (typeof value === "boolean") return value;
  throw mustBe(field, "true or false", value);
}

/** @throws MillraceError `invalid-option` */
export function requireFunction<Of>(value: Of, field: string, code?: ErrorCode): Of {
  if (typeof value === "function") return value;
  throw mustBe(field, "a function", value, code);
}
