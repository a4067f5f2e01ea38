/** A way to go on with a filter. */
export interface Completion {
  /** The whole filter with it. */
  readonly filter: string;
  /** What it adds, or what the field is. */
  readonly about: string;
}

/** What is known to stand in fields: `{ queue: ["mail"], payload: ["customer.id"] }`. */
export type KnownValues = Readonly<Record<string, readonly string[]>>;

const MOST = 20;

/** The word under the hand: up to the end, from the last blank or bracket outside of quotes. */
const LAST_WORD = /(?:[^\s()"']|"(?:[^"\\]|\\.)*(?:"|$)|'[^']*(?:'|$))*$/s;
const OPENED = /^(-*)([A-Za-z]+(?:\.[^\s:=!~<>()"']+)?)(!=|!~|>=|<=|:|=|~|>|<)(.*)$/s;

/**
 * How a filter may go on: fields that begin so, values that begin so.
 *
 * @param fields each field with what it is
 */
export function completeFilter(
  text: string,
  fields: Readonly<Record<string, string>>,
  known: KnownValues,
): readonly Completion[] {
  const word = LAST_WORD.exec(text)?.[0] ?? "";
  const before = text.slice(0, text.length - word.length);
  const opened = OPENED.exec(word);
  if (opened !== null) {
    const [, minus = "", field = "", operator = "", begun = ""] = opened;
    const part = begun.replace(/^["']/, "").toLowerCase();
    return (known[field.toLowerCase()] ?? [])
      .filter((value) => value.toLowerCase().startsWith(part) && value !== begun)
      .slice(0, MOST)
      .map((value) => ({
        filter: `${before}${minus}${field}${operator}${asValue(value)}`,
        about: field,
      }));
  }
  const minus = /^-*/.exec(word)?.[0] ?? "";
  const part = word.slice(minus.length).toLowerCase();
  const paths = (known["payload"] ?? []).map((path) => [`payload.${path}`, "in the payload"]);
  return [...Object.entries(fields), ...paths]
    .filter(([field = ""]) => field.toLowerCase().startsWith(part))
    .slice(0, MOST)
    .map(([field = "", about = ""]) => ({ filter: `${before}${minus}${field}:`, about }));
}

function asValue(value: string): string {
  return /^[^\s"'()]+$/.test(value) ? value : `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}
