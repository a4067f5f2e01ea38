import type { Mask } from "../masking/index.ts";

/** A line's fields, masked. Errors stay errors, for the serializers that loggers have for them. */
export function maskFields(fields: object, mask: Mask): object {
  const errors = Object.entries(fields).filter(([, value]) => value instanceof Error);
  if (errors.length === 0) return asObject(mask(fields));
  const shown = errors.map(([key, error]) => [key, maskThrown(error as Error, mask)] as const);
  return { ...asObject(mask(fields)), ...Object.fromEntries(shown) };
}

/** An error of the same class with its texts and fields masked. */
export function maskThrown(error: Error, mask: Mask): Error {
  return maskAt(error, mask, 0);
}

const MAX_CAUSES = 8;

function maskAt(error: Error, mask: Mask, depth: number): Error {
  const copy = Object.create(Object.getPrototypeOf(error) as object) as Error;
  const masked = asObject(mask(Object.fromEntries(Object.entries(error))));
  const { message, stack, cause } = error;
  define(copy, "message", mask.text(message));
  if (typeof stack === "string") define(copy, "stack", mask.text(stack));
  for (const [key, value] of Object.entries(masked))
    if (key !== "cause") Object.defineProperty(copy, key, { value, enumerable: true });
  if (cause !== undefined)
    define(
      copy,
      "cause",
      cause instanceof Error && depth < MAX_CAUSES ? maskAt(cause, mask, depth + 1) : mask(cause),
    );
  return copy;
}

function define(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, configurable: true, writable: true });
}

function asObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : { fields: value };
}
