import { MAX_DEPTH } from "../envelope/body.ts";
import { fieldBesideEntries, holdsMore } from "../envelope/list-fields.ts";
import { MillraceError } from "../errors/millrace-error.ts";

/** Every node reads all schedules, and makes a job of each at its time. */
const MOST_BYTES = 262_144;
const MOST_VALUES = 10_000;

/**
 * A value as it will be read back from JSON, refused where that would be another value, or where
 * there is too much of it. A field that is undefined is left out.
 *
 * @throws MillraceError `invalid-schedule`, naming the place
 */
export function plainJson(value: unknown, place: string): unknown {
  const budget = { values: MOST_VALUES };
  const plain = plainValue(value, { place, depth: 1, budget });
  if (budget.values < 0)
    throw tooLarge(place, `up to ${MOST_VALUES.toLocaleString("en")} values, keys of maps too`);
  const bytes = Buffer.byteLength(JSON.stringify(plain));
  if (bytes > MOST_BYTES)
    throw tooLarge(
      place,
      `up to ${MOST_BYTES.toLocaleString("en")} bytes as JSON; this one has ${bytes.toLocaleString("en")}`,
    );
  return plain;
}

interface Place {
  readonly place: string;
  readonly depth: number;
  /** How many values there may still be. */
  readonly budget: { values: number };
}

function plainValue(value: unknown, at: Place): unknown {
  const { place, budget } = at;
  budget.values -= 1;
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string" && value.isWellFormed()) return value;
  if (typeof value === "number" && isKept(value)) return value;
  // It has too many already; how many is of no use to anybody.
  if (budget.values < 0) return null;
  if (holdsMore(value, budget.values)) {
    budget.values = -1;
    return null;
  }
  if (Array.isArray(value) && fieldBesideEntries(value) === undefined)
    return value.map((item, index) => plainValue(item, deeper(at, `[${index}]`)));
  if (typeof value === "object") {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      const entries = Object.entries(value).filter(([, item]) => item !== undefined);
      budget.values -= entries.length;
      return Object.fromEntries(
        entries.map(([key, item]) => [key, plainValue(item, deeper(at, `.${key}`))]),
      );
    }
  }
  throw new MillraceError(
    "invalid-schedule",
    `${place}: a schedule is stored as JSON, which can't carry ${nameOf(value)}. Give plain data.`,
  );
}

/**
 * A whole number that is not exact may have been another; from 1e21 on it is written with an
 * exponent, and is a measure.
 */
function isKept(value: number): boolean {
  if (!Number.isFinite(value)) return false;
  return Number.isSafeInteger(value) || !Number.isInteger(value) || Math.abs(value) >= 1e21;
}

function deeper({ place, depth, budget }: Place, step: string): Place {
  const inner = { place: place + step, depth: depth + 1, budget };
  if (inner.depth <= MAX_DEPTH) return inner;
  throw new MillraceError(
    "invalid-schedule",
    `${inner.place}: a schedule's input nests up to ${MAX_DEPTH} levels. Give flatter data.`,
  );
}

function tooLarge(place: string, limit: string): MillraceError {
  return new MillraceError(
    "invalid-schedule",
    `${place}: a schedule's input has ${limit}. Store a reference to the data instead of the data.`,
  );
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return "a list with a field beside its entries";
  if (typeof value === "object" && value !== null)
    return `a ${value.constructor?.name ?? "object"}`;
  if (typeof value === "string") return "half a character (a lone surrogate)";
  return typeof value === "number" ? String(value) : typeof value;
}
