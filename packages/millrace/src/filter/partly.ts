import type { FilterTree, Term } from "./filter-tree.ts";

export type Partly<Thing> = (thing: Thing) => boolean | undefined;

/**
 * What a filter says of a thing of which not all is known.
 *
 * @param known a test of the terms that can be told; it says undefined of what it can't tell
 * @param word the same of a word without a field
 * @returns undefined where what is not known decides
 */
export function partlyTest<Thing>(
  tree: FilterTree,
  known: (term: Term) => Partly<Thing> | undefined,
  word: (text: string) => Partly<Thing> = () => () => undefined,
): Partly<Thing> {
  switch (tree.kind) {
    case "and":
    case "or": {
      const parts = tree.of.map((part) => partlyTest(part, known, word));
      const decides = tree.kind === "or";
      return (thing) => {
        let isKnown = true;
        for (const part of parts) {
          const told = part(thing);
          if (told === decides) return decides;
          if (told === undefined) isKnown = false;
        }
        return isKnown ? !decides : undefined;
      };
    }
    case "not": {
      const inner = partlyTest(tree.of, known, word);
      return (thing) => {
        const told = inner(thing);
        return told === undefined ? undefined : !told;
      };
    }
    case "text":
      return word(tree.text);
    case "term":
      return known(tree) ?? (() => undefined);
  }
}
