import type { FilterTree, Term } from "./filter-tree.ts";

type Partly<Thing> = (thing: Thing) => boolean | undefined;

/**
 * What a filter says of a thing of which not all is known.
 *
 * @param known a test of the terms that can be told
 * @returns undefined where what is not known decides
 */
export function partlyTest<Thing>(
  tree: FilterTree,
  known: (term: Term) => ((thing: Thing) => boolean) | undefined,
): Partly<Thing> {
  switch (tree.kind) {
    case "and":
    case "or": {
      const parts = tree.of.map((part) => partlyTest(part, known));
      const decides = tree.kind === "or";
      return (thing) => {
        const told = parts.map((part) => part(thing));
        if (told.includes(decides)) return decides;
        return told.includes(undefined) ? undefined : !decides;
      };
    }
    case "not": {
      const inner = partlyTest(tree.of, known);
      return (thing) => {
        const told = inner(thing);
        return told === undefined ? undefined : !told;
      };
    }
    case "text":
      return () => undefined;
    case "term":
      return known(tree) ?? (() => undefined);
  }
}
