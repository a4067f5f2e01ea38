/**
 * Whether a text could be a secret rather than words: it has a digit among its letters, or upper
 * case letters after lower case ones and is long. `authentication-scheme` and `Unexpected` are
 * words; `hunter2`, `c3VwZXJzZWNyZXQ` are not.
 */
export function looksRandom(text: string): boolean {
  if (/\d/.test(text)) return true;
  return text.length >= 16 && /[a-z][A-Z]/.test(text) && !/[-_/.]/.test(text);
}
