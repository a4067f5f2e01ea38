/** Keys that an object has twice, by its text: `JSON.parse` takes the last and says nothing. */
export function repeatedKeys(json: string): readonly string[] {
  const seen = new Set<string>();
  const twice = new Set<string>();
  let depth = 0;
  // Texts whole, so that what stands in them is not taken for marks of the object.
  for (const [token, text, colon] of json.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g)) {
    if (token === "{" || token === "[") depth += 1;
    else if (token === "}" || token === "]") depth -= 1;
    else if (depth === 1 && colon !== undefined && text !== undefined)
      (seen.has(text) ? twice : seen).add(text);
  }
  return [...twice].map((text) => JSON.parse(text) as string);
}
