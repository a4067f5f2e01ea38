import { types } from "node:util";
import { isCardNumber } from "./card-number.ts";
import { entriesOf, fieldOf, UNREADABLE } from "./foreign-object.ts";
import { InnerErrors, ownEntriesOf } from "./inner-errors.ts";
import { MASKED } from "./secret-pattern.ts";

/** Deeper values are cut off rather than walked. */
const MAX_DEPTH = 64;
/** Stands for a value while it is being walked, so that one which holds itself ends. */
const CIRCULAR = "(circular)";

export interface Rules {
  readonly text: (text: string) => string;
  readonly hides: (key: string, value: unknown) => boolean;
}

/**
 * A masked copy of anything. Getters and `toJSON` of foreign values may throw: then the copy says
 * so.
 */
export function walk(value: unknown, rules: Rules): unknown {
  return new Walk(rules).copy(value, 0, "");
}

class Walk {
  readonly #rules: Rules;
  /**
   * What is met twice is copied once, or a small value that holds others many times would take for
   * ever.
   */
  readonly #copies = new Map<object, unknown>();
  readonly #innerErrors = new InnerErrors();

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** @param key under which it stands: a `toJSON` is told */
  copy(value: unknown, depth: number, key: string): unknown {
    switch (typeof value) {
      case "string":
        return this.#rules.text(value);
      case "number":
        return Number.isSafeInteger(value) && isCardNumber(String(value)) ? MASKED : value;
      case "bigint":
        // JSON has none.
        return this.#rules.text(String(value));
      case "object":
        return value === null ? null : this.#copyObject(value, depth, key);
      default:
        return value;
    }
  }

  #copyObject(value: object, depth: number, key: string): unknown {
    if (depth >= MAX_DEPTH) return "(too deep)";
    const known = this.#copies.get(value);
    if (known !== undefined) return known;
    this.#copies.set(value, CIRCULAR);
    const copy = this.#read(value, depth + 1, key);
    this.#copies.set(value, copy);
    return copy;
  }

  #read(value: object, depth: number, key: string): unknown {
    try {
      if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
        return `(${value.byteLength} bytes)`;
      if (value instanceof Date) return value;
      if (Array.isArray(value)) return this.#list(value, depth);
      if (value instanceof Set) return this.#list([...value], depth);
      if (value instanceof Map)
        return this.#entries(
          [...value].map(([key, item]: [unknown, unknown]) => [String(key), item]),
          depth,
        );
      if (value instanceof Error) return this.#error(value, depth);
      if ("toJSON" in value && typeof value.toJSON === "function")
        return this.copy((value.toJSON as (key: string) => unknown)(key), depth, key);
      if (types.isBoxedPrimitive(value)) return this.copy(value.valueOf(), depth, key);
      return this.#entries(entriesOf(value), depth);
    } catch {
      return UNREADABLE;
    }
  }

  /** An error's own parts can't be listed, and its fields may hold a request with its headers. */
  #error(error: Error, depth: number): unknown {
    const cause = fieldOf(error, "cause");
    const errors = this.#innerErrors.of(error);
    return this.#entries(
      [
        ["type", fieldOf(error, "name")],
        ["message", fieldOf(error, "message")],
        ["stack", fieldOf(error, "stack")],
        ...(cause === undefined ? [] : ([["cause", cause]] as const)),
        ...(errors === undefined ? [] : ([["errors", errors]] as const)),
        ...ownEntriesOf(error, errors),
      ],
      depth,
    );
  }

  #list(items: readonly unknown[], depth: number): unknown {
    return items.map((item, index) => this.copy(item, depth, String(index)));
  }

  #entries(entries: readonly (readonly [key: string, value: unknown])[], depth: number): object {
    return Object.fromEntries(
      entries.map(([key, value]) => [
        this.#rules.text(key),
        this.#rules.hides(key, value) ? MASKED : this.copy(value, depth, key),
      ]),
    );
  }
}
