/** What a key asks for. */
export type Asked = "palette" | "help" | "filter" | "times" | "next" | "previous";

type Pressed = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey">;

const KEYS: Readonly<Record<string, Asked>> = {
  "?": "help",
  "/": "filter",
  t: "times",
  j: "next",
  k: "previous",
};

/**
 * What a key press asks for, or undefined where it belongs to somebody else: to a text that is
 * being typed, to the browser, or to an open dialog.
 */
export function askedBy(
  { key, ctrlKey, metaKey, altKey }: Pressed,
  isTyping: boolean,
  dialog: unknown,
): Asked | undefined {
  if (dialog !== null || altKey) return undefined;
  if (ctrlKey || metaKey) return key.toLowerCase() === "k" ? "palette" : undefined;
  return isTyping ? undefined : KEYS[key];
}

/** The row after or before; the first where none is chosen. Stops at both ends. */
export function stepOf(here: number, count: number, asked: "next" | "previous"): number {
  if (here < 0) return 0;
  return Math.max(0, Math.min(count - 1, here + (asked === "next" ? 1 : -1)));
}

export interface Place {
  readonly path: string;
  readonly name: string;
  readonly kind: "page" | "queue" | "job";
}

const MOST = 12;

/** The places whose name holds what was typed, those that begin with it first; and a job's id. */
export function placesFor(typed: string, places: readonly Place[]): readonly Place[] {
  const text = typed.trim().toLowerCase();
  const fits = places.filter(({ name }) => name.toLowerCase().includes(text));
  const first = fits.filter(({ name }) => name.toLowerCase().startsWith(text));
  const others = fits.filter((place) => !first.includes(place));
  const found = [...first, ...others].slice(0, MOST);
  return /^[\w:-]+$/.test(text) ? [...found, jobPlace(typed.trim())] : found;
}

function jobPlace(id: string): Place {
  const query = new URLSearchParams({ filter: `id=${id}` }).toString();
  return { path: `/jobs?${query}`, name: `Jobs with the id ${id}`, kind: "job" };
}
