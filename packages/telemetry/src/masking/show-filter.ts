import { MASKED } from "./secret-pattern.ts";
import type { ShowValue } from "./show-masked.ts";

/** As the reader of filters has them: `docs/filters.md`. */
const SIGNS = /[\s()-]+/y;
const FIELD = /([A-Za-z]+)((?:\.[^\s:=!~<>()"']+)?)(?:!=|!~|>=|<=|:|=|~|>|<)/y;
const VALUE = /(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'()][^\s()]*)(?=[\s)]|$)/sy;

/**
 * What was looked for, for showing: any of its texts may be a secret, a payload's or an error's.
 *
 * @param filter whose `where` is a filter as somebody typed it
 */
export function shownFilter(
  filter: Readonly<Record<string, string | number | boolean | readonly string[]>>,
  show: ShowValue,
): Readonly<Record<string, string | number | boolean | readonly string[]>> {
  const shown = (text: string): string => String(show(text));
  return Object.fromEntries(
    Object.entries(filter).map(([name, value]) => {
      if (name === "where") return [name, showFilter(String(value), show)];
      if (typeof value === "string") return [name, shown(value)];
      return [name, typeof value === "object" ? value.map(shown) : value];
    }),
  );
}

/**
 * A filter for showing: what is asked of a field of the payload may be a secret by the field's
 * name, as in `payload.pin:4711`, and any text may be one by its shape. One that can't be read is
 * hidden as a whole.
 */
export function showFilter(text: string, show: ShowValue): string {
  const parts: string[] = [];
  for (let at = 0; at < text.length;) {
    const take = (pattern: RegExp): RegExpExecArray | undefined => {
      pattern.lastIndex = at;
      const found = pattern.exec(text) ?? undefined;
      at += found?.[0].length ?? 0;
      return found;
    };
    const signs = take(SIGNS);
    if (signs !== undefined) {
      parts.push(signs[0]);
      continue;
    }
    const [written = "", field = "", path = ""] = take(FIELD) ?? [];
    const value = take(VALUE);
    if (value === undefined) return MASKED;
    const isHidden = field.toLowerCase() === "payload" && hidesPath(path, show);
    parts.push(written, isHidden ? MASKED : value[0]);
  }
  return String(show(parts.join("")));
}

/** By any of its names, or by two that a mask reads as one: a key may hold a dot. */
function hidesPath(path: string, show: ShowValue): boolean {
  const names = path.split(".").slice(1);
  const pairs = names.slice(1).map((name, at) => `${names[at] ?? ""}.${name}`);
  return [...names, ...pairs].some(
    (key) => Object.values(show({ [key]: "x" }) as object)[0] === MASKED,
  );
}
