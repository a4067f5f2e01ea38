import { stripVTControlCharacters } from "node:util";

/**
 * A foreign text on one line, without anything that moves a cursor or recolours a terminal: names and error messages
 * come from whoever publishes.
 */
export function clean(text: string, maxLength = 200): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  const line = stripVTControlCharacters(text)
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, " ")
    .trim();
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line;
}
