/** What is asked or done at the same time. */
const AT_A_TIME = 32;

/**
 * Acts on all, a few at a time.
 *
 * @returns what came of each, in their order
 */
export async function someAtATime<Item, Result>(
  items: readonly Item[],
  act: (item: Item) => Promise<Result>,
  atATime = AT_A_TIME,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < items.length; from += atATime)
    results.push(...(await Promise.all(items.slice(from, from + atATime).map(act))));
  return results;
}
