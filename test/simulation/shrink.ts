/**
 * The fewest of `all` with which something still holds, by ddmin: halves are left out first, then
 * ever smaller parts. Not the least of all subsets; none of what is left can be left out alone.
 *
 * @param holds asked of a subset; must hold of `all`
 * @param most how often it may be asked
 */
export async function fewest<T>(
  all: readonly T[],
  holds: (some: readonly T[]) => Promise<boolean>,
  most: number,
): Promise<readonly T[]> {
  let left = all;
  let parts = 2;
  for (let asked = 0; left.length > 0 && asked < most;) {
    const size = Math.ceil(left.length / parts);
    let smaller: readonly T[] | undefined;
    for (let from = 0; from < left.length && asked < most; from += size) {
      const without = [...left.slice(0, from), ...left.slice(from + size)];
      asked += 1;
      if (!(await holds(without))) continue;
      smaller = without;
      break;
    }
    if (smaller !== undefined) {
      left = smaller;
      parts = Math.max(2, parts - 1);
    } else if (size === 1) break;
    else parts = Math.min(left.length, parts * 2);
  }
  return left;
}
