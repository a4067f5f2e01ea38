import type { Mask } from "@millrace/telemetry/masking";
import { type FilterFields, onceEach } from "./filter-fields.ts";

/**
 * Texts of which some are masked before they are looked at: who sees only what fits could guess a
 * secret letter by letter. They are masked once for all terms that ask of one thing.
 *
 * @param names of those that may hold secrets
 */
export function maskedTexts<Thing>(
  texts: FilterFields<Thing>["texts"],
  names: readonly string[],
  mask: Pick<Mask, "text">,
): Required<Pick<FilterFields<Thing>, "texts" | "hides">> {
  const maskedOf = new Map(
    names.map((name) => {
      const read = (thing: Thing): readonly string[] => [texts[name]?.(thing) ?? ""].flat();
      const masked = onceEach((thing: Thing) => read(thing).map((text) => mask.text(text)));
      const isChanged = onceEach((thing: Thing) => {
        const shown = masked(thing);
        return read(thing).some((text, at) => text !== shown[at]);
      });
      return [name, { masked, isChanged }] as const;
    }),
  );
  return {
    texts: {
      ...texts,
      ...Object.fromEntries([...maskedOf].map(([name, { masked }]) => [name, masked])),
    },
    hides: (thing, field) => maskedOf.get(field)?.isChanged(thing) === true,
  };
}
