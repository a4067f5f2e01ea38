/** Getters, traps, `toString` and `toJSON` of a foreign value may throw: undefined then. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** A text cut to so many characters. A cut may leave half a character, which no encoding has. */
export function clip(text: string, limit: number): string {
  return (text.length <= limit ? text : `${text.slice(0, limit - 1)}…`).toWellFormed();
}
