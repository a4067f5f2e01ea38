/** But for the ends of lines, which in JSON stand between values only. */
const OBEYED = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * JSON that a terminal shows and does not obey. JSON itself escapes no character above U+001F: not
 * DEL, not the controls of C1, nothing that turns the order of a text around.
 *
 * @param space of the layout, as of `JSON.stringify`
 */
export function jsonText(value: unknown, space?: number): string {
  return JSON.stringify(value ?? null, null, space).replace(OBEYED, (found) =>
    Array.from(
      { length: found.length },
      (_, unit) => `\\u${found.charCodeAt(unit).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}
