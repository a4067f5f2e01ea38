import { shownValue } from "../options/option-values.ts";
import { isKeyConcurrency, MOST_KEY_CONCURRENCY } from "../control/queue-controls.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { optionNames, refuseUnknown } from "../options/known-options.ts";
import type { Duration } from "../time/duration.ts";
import { atLeast1Ms } from "./option-checks.ts";

/**
 * Gives the key of a job from its input, as it was enqueued. Up to 256 characters; equal keys
 * belong together.
 */
export type KeyOf<Input> = (input: Input) => string;

/** How the jobs of a definition keep clear of each other, over all nodes. */
export interface CoordinationOptions<Input> {
  /**
   * At most one runs in the whole fleet: of this definition, or of all with the same key. While
   * another runs a job waits, or with `onBusy: "skip"` is cancelled. The handler's `token` then is
   * the lock's.
   */
  readonly singleton?:
    true | { readonly key?: string | KeyOf<Input>; readonly onBusy?: "wait" | "skip" };
  /**
   * At most one with the same key: until it starts (`pending`), until it has ended (`running`), or
   * for a while.
   */
  readonly unique?: UniqueOptions<Input>;
  /** At most `limit` with the same key run at once. */
  readonly concurrency?: { readonly key: KeyOf<Input>; readonly limit: number };
  /**
   * At most `limit` with the same key start in each period `per`, a burst of up to `limit` at once.
   */
  readonly rateLimit?: {
    readonly key: KeyOf<Input>;
    readonly limit: number;
    readonly per: Duration;
  };
}

export interface UniqueOptions<Input> {
  readonly key: KeyOf<Input>;
  /** Default: `pending`. */
  readonly while?: "pending" | "running" | { readonly window: Duration };
  /**
   * What an enqueue does that meets a job with its key. `keep` (default): nothing, and the handle
   * is that job's. `replace`: the job that has not started yet gives way. `debounce`: as `replace`,
   * and the new one starts only when this long has passed without another.
   */
  readonly onConflict?: "keep" | "replace" | { readonly debounce: Duration };
}

/** The options, checked, with their durations in milliseconds. */
export interface Coordination<Input> {
  readonly singleton: SingletonRule<Input> | undefined;
  readonly unique: UniqueRule<Input> | undefined;
  readonly concurrency: ConcurrencyRule<Input> | undefined;
  readonly rateLimit: RateRule<Input> | undefined;
}

export interface SingletonRule<Input> {
  /** Undefined: the job's name is the key. */
  readonly key: string | KeyOf<Input> | undefined;
  readonly onBusy: "wait" | "skip";
}

export interface UniqueRule<Input> {
  readonly key: KeyOf<Input>;
  readonly while: "pending" | "running" | { readonly windowMs: number };
  readonly onConflict: "keep" | "replace" | { readonly debounceMs: number };
}

export interface ConcurrencyRule<Input> {
  readonly key: KeyOf<Input>;
  readonly limit: number;
}

export interface RateRule<Input> {
  readonly key: KeyOf<Input>;
  readonly limit: number;
  readonly perMs: number;
}

const NAMES = {
  singleton: optionNames<Exclude<NonNullable<Any["singleton"]>, true>>({ key: true, onBusy: true }),
  unique: optionNames<NonNullable<Any["unique"]>>({ key: true, while: true, onConflict: true }),
  concurrency: optionNames<NonNullable<Any["concurrency"]>>({ key: true, limit: true }),
  rateLimit: optionNames<NonNullable<Any["rateLimit"]>>({ key: true, limit: true, per: true }),
};
type Any = CoordinationOptions<unknown>;

/** @throws MillraceError `invalid-option`, `invalid-duration`, naming the field */
export function coordination<Input>(options: CoordinationOptions<Input>): Coordination<Input> {
  return {
    singleton: singletonRule(options.singleton),
    unique: uniqueRule(options.unique),
    concurrency: concurrencyRule(options.concurrency),
    rateLimit: rateRule(options.rateLimit),
  };
}

/**
 * A key that a definition's function gave.
 *
 * @throws MillraceError `invalid-option` where it is no string of 1 to 256 characters, or the
 *   function threw
 */
export function keyOf<Input>(key: KeyOf<Input>, input: Input, field: string): string {
  let value: unknown;
  try {
    value = key(input);
  } catch (cause) {
    throw new MillraceError("invalid-option", `${field}: the key function threw.`, { cause });
  }
  return requireKey(value, field);
}

/** @throws MillraceError `invalid-option` */
export function requireKey(value: unknown, field: string): string {
  if (typeof value === "string" && value.length >= 1 && value.length <= 256) return value;
  throw new MillraceError("invalid-option", `${field}: must be a string of 1 to 256 characters.`);
}

function singletonRule<Input>(
  given: CoordinationOptions<Input>["singleton"],
): SingletonRule<Input> | undefined {
  if (given === undefined) return undefined;
  if (given === true) return { key: undefined, onBusy: "wait" };
  requireOptions(given, "singleton");
  const { key, onBusy = "wait" } = given;
  if (typeof key !== "function" && key !== undefined) requireKey(key, "singleton.key");
  return { key, onBusy: oneOf(onBusy, ["wait", "skip"], "singleton.onBusy") };
}

function uniqueRule<Input>(given: UniqueOptions<Input> | undefined): UniqueRule<Input> | undefined {
  if (given === undefined) return undefined;
  requireOptions(given, "unique");
  const { key, while: during = "pending", onConflict = "keep" } = given;
  return {
    key: requireFunction(key, "unique.key"),
    while:
      typeof during === "object"
        ? { windowMs: atLeast1Ms(during.window, "unique.while.window") }
        : oneOf<"pending" | "running">(
            during,
            ["pending", "running"],
            "unique.while",
            "{ window: … }",
          ),
    onConflict:
      typeof onConflict === "object"
        ? { debounceMs: atLeast1Ms(onConflict.debounce, "unique.onConflict.debounce") }
        : oneOf<"keep" | "replace">(
            onConflict,
            ["keep", "replace"],
            "unique.onConflict",
            "{ debounce: … }",
          ),
  };
}

function concurrencyRule<Input>(
  given: CoordinationOptions<Input>["concurrency"],
): ConcurrencyRule<Input> | undefined {
  if (given === undefined) return undefined;
  requireOptions(given, "concurrency");
  return {
    key: requireFunction(given.key, "concurrency.key"),
    limit: keyConcurrency(given.limit),
  };
}

function rateRule<Input>(
  given: CoordinationOptions<Input>["rateLimit"],
): RateRule<Input> | undefined {
  if (given === undefined) return undefined;
  requireOptions(given, "rateLimit");
  return {
    key: requireFunction(given.key, "rateLimit.key"),
    limit: wholeFrom1(given.limit, "rateLimit.limit"),
    perMs: atLeast1Ms(given.per, "rateLimit.per"),
  };
}

function requireOptions(value: unknown, field: keyof typeof NAMES): void {
  if (typeof value !== "object" || value === null)
    throw new MillraceError("invalid-option", `${field}: must be an object of options.`);
  refuseUnknown(value, NAMES[field], field, field);
}

function requireFunction<Input>(key: KeyOf<Input>, field: string): KeyOf<Input> {
  if (typeof key === "function") return key;
  throw new MillraceError(
    "invalid-option",
    `${field}: must be a function from the input to a string.`,
  );
}

function oneOf<Word extends string>(
  value: Word,
  words: readonly Word[],
  field: string,
  other?: string,
): Word {
  if (words.includes(value)) return value;
  throw new MillraceError(
    "invalid-option",
    `${field}: ${shownValue(value)} is none of ${[...words.map((word) => `"${word}"`), ...(other === undefined ? [] : [other])].join(", ")}.`,
  );
}

function keyConcurrency(limit: number): number {
  if (isKeyConcurrency(limit)) return limit;
  throw new MillraceError(
    "invalid-option",
    `concurrency.limit: must be a whole number from 1 to ${MOST_KEY_CONCURRENCY}. A cap for more jobs of one key than that is one for the queue: queues.set, concurrency.`,
  );
}

function wholeFrom1(value: number, field: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new MillraceError("invalid-option", `${field}: must be a whole number from 1.`);
}
