import { FoldedText } from "./folded-text.ts";

/** A value in a payload, with the way to it. */
export interface Leaf {
  /** `customer.id`; a list's places are no part of it. */
  readonly path: string;
  readonly value: string | number;
  /** The value as a text. */
  readonly folded: FoldedText;
}

/** What is seen of a payload. */
export interface SeenPayload {
  /** The texts, numbers, switches and times in it. */
  readonly leaves: readonly Leaf[];
  /** Where something of it is hidden, or all that lies there. The empty path is the whole. */
  readonly hidden: ReadonlySet<string>;
  /** It holds more than was looked at. */
  readonly isCut: boolean;
}

/** Of one that nobody has seen, or can read. */
export const UNSEEN: SeenPayload = { leaves: [], hidden: new Set([""]), isCut: true };

/** What a payload holds beyond that, nobody looks for. */
const MOST_LEAVES = 1_000;
/** Lists and maps among them, which may be empty. */
const MOST_VALUES = 10_000;

/**
 * @param shown masked
 * @param plain the same before it was masked. Default: it was masked when it was stored, and the
 *   mask's mark says where
 */
export function seePayload(shown: unknown, plain: unknown = shown): SeenPayload {
  const look = new Look();
  look.walk(shown, plain, "");
  return look;
}

/**
 * Whether somebody could find something at a path that a mask hides.
 *
 * @param path undefined: anywhere
 */
export function hidesAt({ hidden, isCut }: SeenPayload, path: string | undefined): boolean {
  if (isCut || hidden.has("") || path === undefined) return isCut || hidden.size > 0;
  for (const one of hidden) if (path === one || path.startsWith(`${one}.`)) return true;
  return false;
}

/** One walk over both: the payload is as large as a message may be. */
class Look implements SeenPayload {
  readonly leaves: Leaf[] = [];
  readonly hidden = new Set<string>();
  isCut = false;
  #values = 0;

  walk(shown: unknown, plain: unknown, path: string): void {
    this.#values += 1;
    if (this.#values > MOST_VALUES) this.isCut = true;
    if (this.isCut) return;
    const value = leafValue(shown);
    if (value !== undefined)
      this.#add({ path, value, folded: new FoldedText(String(value)) }, plain);
    else if (Array.isArray(shown)) this.#walkList(shown, plain, path);
    else if (typeof shown === "object" && shown !== null) this.#walkMap(shown, plain, path);
    else if (shown !== plain) this.hidden.add(path);
  }

  #add(leaf: Leaf, plain: unknown): void {
    if (this.leaves.length === MOST_LEAVES) {
      this.isCut = true;
      return;
    }
    this.leaves.push(leaf);
    if (leaf.folded.isMasked || !Object.is(leaf.value, leafValue(plain)))
      this.hidden.add(leaf.path);
  }

  #walkList(shown: readonly unknown[], plain: unknown, path: string): void {
    const before: readonly unknown[] = Array.isArray(plain) ? plain : shown;
    if (before.length !== shown.length || !Array.isArray(plain)) this.hidden.add(path);
    for (let at = 0; at < shown.length && !this.isCut; at += 1)
      this.walk(shown[at], before[at], path);
  }

  #walkMap(shown: object, plain: unknown, path: string): void {
    const before = isMap(plain) ? plain : shown;
    if (before !== plain) this.hidden.add(path);
    for (const [key, item] of Object.entries(shown)) {
      if (this.isCut) return;
      const known = Object.hasOwn(before, key);
      // A key that is masked may be any.
      if (!known || new FoldedText(key).isMasked) this.hidden.add(path);
      const was: unknown = known ? (before as Readonly<Record<string, unknown>>)[key] : item;
      this.walk(item, was, path === "" ? key : `${path}.${key}`);
    }
  }
}

function isMap(value: unknown): value is object {
  return typeof value === "object" && value !== null && leafValue(value) === undefined;
}

/** As JSON has it, or the mask: an index keeps payloads as JSON. Undefined: it holds others. */
function leafValue(value: unknown): string | number | undefined {
  switch (typeof value) {
    case "string":
    case "number":
      return value;
    case "boolean":
    case "bigint":
      return String(value);
    case "object":
      if (value === null) return "null";
      if (value instanceof Date)
        return Number.isNaN(value.getTime()) ? "null" : value.toISOString();
      if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
        return `(${value.byteLength} bytes)`;
      return undefined;
    default:
      return undefined;
  }
}
