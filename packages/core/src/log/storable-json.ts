/**
 * JSON that PostgreSQL takes as `jsonb`: it stores neither NUL nor half a surrogate pair, in values
 * or in keys.
 */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === "string") return storable(item);
    if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
    return Object.keys(item).every((key) => storable(key) === key)
      ? item
      : Object.fromEntries(Object.entries(item).map(([key, inner]) => [storable(key), inner]));
  });
}

/** A text that PostgreSQL takes. */
export function storable(text: string): string {
  return text.replaceAll("\0", "\ufffd").toWellFormed();
}
