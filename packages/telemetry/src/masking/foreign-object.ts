/** Stands for what can't be read: a getter, a trap or a `toJSON` of its own threw. */
export const UNREADABLE = "(unreadable)";

/** A field of anything: its getter may throw. */
export function fieldOf(value: object, key: string): unknown {
  try {
    return (value as Readonly<Record<string, unknown>>)[key];
  } catch {
    return UNREADABLE;
  }
}

/** As `Object.entries`, for objects whose getters may throw. */
export function entriesOf(value: object): readonly (readonly [key: string, value: unknown])[] {
  return Object.keys(value).map((key) => [key, fieldOf(value, key)]);
}
