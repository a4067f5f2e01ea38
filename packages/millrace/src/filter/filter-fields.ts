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

/** Where in a payload a mask has hidden something. */
export function hiddenPaths(payload: unknown, masked: unknown): readonly string[] {
  const [before, after] = [leavesOf(payload), leavesOf(masked)];
  const isIn = (leaves: readonly Leaf[]) => {
    const known = new Set(leaves.map((leaf) => JSON.stringify(leaf)));
    return (leaf: Leaf) => known.has(JSON.stringify(leaf));
  };
  const [isShown, wasThere] = [isIn(after), isIn(before)];
  const changed = [
    ...before.filter((leaf) => !isShown(leaf)),
    ...after.filter((leaf) => !wasThere(leaf)),
  ];
  return changed.map(({ path }) => path);
}

/**
 * Whether something of a field that is the payload, or lies in it, is hidden.
 *
 * @param hidden where in the payload; undefined: it can't be read
 */
export function hidesPayload(field: string, hidden: () => readonly string[] | undefined): boolean {
  if (field !== "payload" && !field.startsWith("payload.")) return false;
  const paths = hidden();
  if (paths === undefined || field === "payload") return paths === undefined || paths.length > 0;
  const asked = field.slice("payload.".length);
  return paths.some((path) => isAlong(path, asked));
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

/** Remembers the last answer: the terms of a filter ask it of one thing after the other. */
export function onceEach<Thing, Value>(read: (thing: Thing) => Value): (thing: Thing) => Value {
  let last: { readonly thing: Thing; readonly value: Value } | undefined;
  return (thing) => {
    if (last?.thing !== thing) last = { thing, value: read(thing) };
    return last.value;
  };
}
