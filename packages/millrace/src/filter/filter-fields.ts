/** What filters can ask about, and what a thing says to it. A text that is missing is empty. */
export interface FilterFields<Thing> {
  /** Of several texts one has to fit. */
  readonly texts: Readonly<Record<string, (thing: Thing) => string | readonly string[]>>;
  /** Of what is missing no term holds. */
  readonly numbers: Readonly<Record<string, (thing: Thing) => number | undefined>>;
  /** Lengths of time, milliseconds; terms write them as `5s`. */
  readonly durations: Readonly<Record<string, (thing: Thing) => number | undefined>>;
  /** When it was, epoch milliseconds: for `at` and `age`. */
  readonly at: (thing: Thing) => number | undefined;
  /** For `payload` and `payload.some.field`; undefined: why nobody can say. */
  readonly payload: ((thing: Thing) => unknown) | string;
  /** Where words without a field are looked for, besides the payload. */
  readonly words: readonly string[];
  /**
   * Whether something of a field is hidden by a mask: then nobody can say that it does not hold a
   * text. Fields as terms name them, `payload.some.field` too. Default: nothing is hidden.
   */
  readonly hides?: (thing: Thing, field: string) => boolean;
}

/** A value in a payload, with the way to it. */
export interface Leaf {
  /** `customer.id`; a list's places are no part of it. */
  readonly path: string;
  readonly value: string | number;
}

/** Whether a mask has hidden something of a payload, or of the field `path` in it. */
export function hidesPart(payload: unknown, masked: unknown, path: string | undefined): boolean {
  const [before, after] = [payload, masked].map((value) =>
    leavesOf(value).filter((leaf) => path === undefined || isAlong(leaf.path, path)),
  );
  return JSON.stringify(before) !== JSON.stringify(after);
}

/** The one lies in the other, or is the other. */
function isAlong(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}.`) || other.startsWith(`${one}.`);
}

/** What a payload holds beyond that, nobody looks for. */
const MOST_LEAVES = 1_000;

/** The texts, numbers and switches in a payload. */
export function leavesOf(payload: unknown): readonly Leaf[] {
  const leaves: Leaf[] = [];
  const walk = (value: unknown, path: string): void => {
    if (leaves.length >= MOST_LEAVES) return;
    if (typeof value === "string" || typeof value === "number") leaves.push({ path, value });
    else if (typeof value === "boolean" || value === null)
      leaves.push({ path, value: String(value) });
    else if (Array.isArray(value)) for (const item of value) walk(item, path);
    else if (typeof value === "object")
      for (const [key, item] of Object.entries(value))
        walk(item, path === "" ? key : `${path}.${key}`);
  };
  walk(payload, "");
  return leaves;
}
