import { stripVTControlCharacters } from "node:util";

/**
 * A foreign text on one line, without anything that moves a cursor or recolours a terminal: names
 * and error messages come from whoever publishes.
 */
export function clean(text: string, maxLength = 200): string {
  const line = stripVTControlCharacters(text)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ")
    .trim();
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line;
}
