/**
 * Whether JSON holds a value as it is: not bytes, times, `NaN`, the infinities, nor what msgpack
 * has for types of its users. Minus zero is 0, as in all that is sent.
 *
 * @param value as it was read from a body, which bounds its nesting
 */
export function hasJsonForm(value: unknown): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value);
    case "object":
      if (value === null) return true;
      if (Array.isArray(value)) return value.every(hasJsonForm);
      return isPlain(value) && Object.values(value).every(hasJsonForm);
    default:
      return false;
  }
}

/** Whether a value is a map, and nothing that only has fields as a map has: bytes, a time. */
export function isPlainMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && isPlain(value);
}

/** Also of another realm, as where a test runner has one of its own. */
export function isPlain(here: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(here);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
