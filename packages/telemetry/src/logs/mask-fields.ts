import { entriesOf, fieldOf } from "../masking/foreign-object.ts";
import type { Mask } from "../masking/index.ts";
import { InnerErrors, ownEntriesOf } from "../masking/inner-errors.ts";

/** A line's fields, masked. Errors stay errors, for the serializers that loggers have for them. */
export function maskFields(fields: object, mask: Mask): object {
  const errors = entriesOf(fields).filter(([, value]) => value instanceof Error);
  if (errors.length === 0) return asObject(mask(fields));
  const shown = errors.map(([key, error]) => [key, maskThrown(error as Error, mask)] as const);
  return { ...asObject(mask(fields)), ...Object.fromEntries(shown) };
}

/** An error of the same class with its texts and fields masked. */
export function maskThrown(error: Error, mask: Mask): Error {
  return maskAt(error, { mask, copies: new Map(), innerErrors: new InnerErrors() }, 0);
}

const MAX_CAUSES = 8;

interface Masking {
  readonly mask: Mask;
  /** What is met twice is copied once. */
  readonly copies: Map<Error, Error>;
  readonly innerErrors: InnerErrors;
}

function maskAt(error: Error, masking: Masking, depth: number): Error {
  const { mask, copies, innerErrors } = masking;
  const known = copies.get(error);
  if (known !== undefined) return known;
  const copy = Object.create(Object.getPrototypeOf(error) as object) as Error;
  copies.set(error, copy);
  const within = (value: unknown): unknown =>
    value instanceof Error && depth < MAX_CAUSES ? maskAt(value, masking, depth + 1) : mask(value);
  defineGetters(copy, error, mask);
  const errors = innerErrors.of(error);
  const own = Object.fromEntries(ownEntriesOf(error, errors));
  define(copy, "message", mask(fieldOf(error, "message")));
  const stack = fieldOf(error, "stack");
  if (typeof stack === "string") define(copy, "stack", mask.text(stack));
  for (const [key, value] of Object.entries(asObject(mask(own))))
    Object.defineProperty(copy, key, { value, enumerable: true, configurable: true });
  const cause = fieldOf(error, "cause");
  if (cause !== undefined) define(copy, "cause", within(cause));
  if (errors !== undefined) define(copy, "errors", errors.map(within));
  return copy;
}

/**
 * Getters of its class read what only the error itself has, as a `DOMException`'s do, and throw for
 * a copy. Each is read when it is asked for.
 */
function defineGetters(copy: Error, error: Error, mask: Mask): void {
  let kind = Object.getPrototypeOf(error) as object | null;
  for (; kind !== null && kind !== Object.prototype; kind = Object.getPrototypeOf(kind) as object) {
    for (const [key, { get, enumerable }] of Object.entries(
      Object.getOwnPropertyDescriptors(kind),
    )) {
      if (get === undefined || Object.hasOwn(copy, key)) continue;
      Object.defineProperty(copy, key, {
        get: () => maskedField(error, key, mask),
        enumerable: enumerable ?? false,
        configurable: true,
      });
    }
  }
}

function maskedField(error: Error, key: string, mask: Mask): unknown {
  return (mask({ [key]: fieldOf(error, key) }) as Readonly<Record<string, unknown>>)[key];
}

function define(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, configurable: true, writable: true });
}

function asObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : { fields: value };
}
