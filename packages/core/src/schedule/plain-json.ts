import { MillraceError } from "../errors/millrace-error.ts";

/**
 * A value as it will be read back from JSON, refused where that would be another value. A field that is undefined is left out.
 *
 * @throws MillraceError `invalid-schedule`, naming the place
 */
export function plainJson(value: unknown, place: string): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (Array.isArray(value))
    return value.map((item, index) => plainJson(item, `${place}[${index}]`));
  if (typeof value === "object") {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null)
      return Object.fromEntries(
        Object.entries(value)
          .filter(([, item]) => item !== undefined)
          .map(([key, item]) => [key, plainJson(item, `${place}.${key}`)]),
      );
  }
  throw new MillraceError(
    "invalid-schedule",
    `${place}: a schedule is stored as JSON, which can't carry ${nameOf(value)}. Give plain data.`,
  );
}

function nameOf(value: unknown): string {
  if (typeof value === "object" && value !== null)
    return `a ${value.constructor?.name ?? "object"}`;
  return typeof value === "number" ? String(value) : typeof value;
}
