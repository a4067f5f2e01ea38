import type { SeenPayload } from "./seen-payload.ts";

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
  /** For `payload` and `payload.some.field`; a text: why nobody can say. */
  readonly payload: ((thing: Thing) => SeenPayload) | string;
  /** Where words without a field are looked for, besides the payload. */
  readonly words: readonly string[];
  /**
   * Whether something of a text's field is not known, besides what its mark shows to be masked:
   * then nobody can say that it does not hold a text. Of a number or a length of time: whether it
   * is not known. Default: all is known.
   */
  readonly hides?: (thing: Thing, field: string) => boolean;
}

/** Remembers the last answer: the terms of a filter ask it of one thing after the other. */
export function onceEach<Thing, Value>(read: (thing: Thing) => Value): (thing: Thing) => Value {
  let last: { readonly thing: Thing; readonly value: Value } | undefined;
  return (thing) => {
    if (last?.thing !== thing) last = { thing, value: read(thing) };
    return last.value;
  };
}
