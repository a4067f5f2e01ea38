import { MillraceError } from "../errors/millrace-error.ts";

/** From JavaScript an option may be anything, and most of that would be silently wrong. */
function wrong(field: string, expected: string, value: unknown): MillraceError {
  const shown =
    typeof value === "object" && value !== null ? "an object" : String(value).slice(0, 80);
  return new MillraceError("invalid-option", `${field}: must be ${expected}; got ${shown}.`);
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
  throw wrong(field, `a whole number ${range}`, value);
}

/** @throws MillraceError `invalid-option` */
export function requireFlag(value: boolean, field: string): boolean {
  if (typeof value === "boolean") return value;
  throw wrong(field, "true or false", value);
}

/**
 * Who asks for a change, and why.
 *
 * @throws MillraceError `invalid-option`
 */
export function requireNote(note: { readonly by?: string; readonly reason?: string }): void {
  for (const field of ["by", "reason"] as const) {
    const value: unknown = note[field];
    if (value !== undefined && typeof value !== "string") throw wrong(field, "a text", value);
  }
}
