import { TooManyValues } from "./measure-body.ts";
import { isWideInteger, pathOf, wideInteger } from "./value-path.ts";

export interface EncodeRules {
  readonly maxValues: number;
  /** Whether a whole number beyond 2^53 is refused. What was read is written as it was read. */
  readonly exact: boolean;
}

type Places = (string | number)[];

/**
 * Refuses what a value holds that would be altered or lost on its way, with its place, and more
 * values than may be. Whatever else is wrong with it is the encoder's to report.
 *
 * @throws Error whose message says what is wrong, and where
 */
export function refuseValues(value: unknown, rules: EncodeRules, maxDepth: number): void {
  const places: Places = [];
  let room = rules.maxValues;
  function look(here: unknown): void {
    if (--room < 0) throw new TooManyValues(rules.maxValues);
    if (typeof here === "bigint")
      throw new Error(`${pathOf(places)} is a bigint; send it as a string`);
    if (typeof here === "number" && rules.exact && isWideInteger(here))
      throw new Error(wideInteger(pathOf(places)));
    if (typeof here !== "object" || here === null || ArrayBuffer.isView(here)) return;
    if (here instanceof Map || here instanceof Set)
      throw new Error(
        `${pathOf(places)} is a ${here instanceof Map ? "Map" : "Set"}, of which nothing would arrive; send a plain object or an array`,
      );
    // Deeper the encoder refuses it, a cycle among it.
    if (places.length >= maxDepth) return;
    if (Array.isArray(here)) here.forEach((entry, at) => within(at, entry));
    else
      for (const [key, field] of Object.entries(here)) {
        if (field === undefined) continue;
        room -= 1;
        within(key, field);
      }
  }
  function within(place: string | number, entry: unknown): void {
    places.push(place);
    look(entry);
    places.pop();
  }
  look(value);
}
