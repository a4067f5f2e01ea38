/** The name that a mistyped one may have been meant for; undefined where none is close. */
export function nearest(given: string, names: Iterable<string>): string | undefined {
  const lower = given.toLowerCase();
  // A word of which half is different is another word.
  let least = Math.ceil(given.length * 0.4) + 1;
  let found: string | undefined;
  for (const name of names) {
    const edits = editsBetween(lower, name.toLowerCase());
    if (edits >= least) continue;
    least = edits;
    found = name;
  }
  return found;
}

/**
 * How many characters have to be put in, taken out or replaced, or swapped with their neighbour
 * (Damerau and Levenshtein).
 */
function editsBetween(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(
        Math.min(
          at(row, j) + 1,
          at(next, j - 1) + 1,
          at(row, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1),
          isSwapped ? at(before, j - 2) + 1 : Infinity,
        ),
      );
    }
    [before, row] = [row, next];
  }
  return at(row, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
