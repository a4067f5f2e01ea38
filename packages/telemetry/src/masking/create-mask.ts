import {
  optionNames,
  type RecordedError,
  type RecordedFields,
  recordError,
  refuseUnknown,
} from "@millrace/core";
import { SECRET_PATTERNS } from "./patterns.ts";
import { isSecretKey, joinedKey, kindOfKey } from "./secret-keys.ts";
import { everywhere, replaceSecrets, type SecretPattern } from "./secret-pattern.ts";
import { walk } from "./walk.ts";

/** What a mask hides besides what it always hides. */
export interface MaskOptions {
  /**
   * Keys whose values are secrets as well, whatever their case and their way of joining words:
   * `iban`, `dateOfBirth`.
   */
  readonly keys?: readonly string[];
  /** More shapes to look for in texts: expressions, or patterns with a check of their own. */
  readonly patterns?: readonly (RegExp | SecretPattern)[];
  /** Texts are cut after so many characters, once they are masked. Default: they are not. */
  readonly maxLength?: number;
}

/**
 * Hides secrets in what is logged, recorded, traced or shown. Never throws, and never changes what
 * it is given.
 */
export interface Mask {
  /** A copy of a value, plain enough for JSON, in which secrets are replaced by `***`. */
  (value: unknown): unknown;
  /** A text in which everything that has a secret's shape is replaced. */
  readonly text: (text: string) => string;
  /** An error's message, stack and fields. */
  readonly error: (error: RecordedError) => RecordedError;
}

/** With a mistyped one, what it names would be shown. */
const NAMES = optionNames<MaskOptions>({ keys: true, patterns: true, maxLength: true });

/**
 * A mask that knows more secrets than the built-in one.
 *
 * @example
 * const mask = createMask({ keys: ["iban"], patterns: [/\bEMP-\d{6}\b/] });
 * mask({ iban: "DE02…", note: "for EMP-123456" }); // { iban: "***", note: "for ***" }
 */
export function createMask(options: MaskOptions = {}): Mask {
  refuseUnknown(options, NAMES, "createMask()");
  const { keys = [], patterns = [], maxLength } = options;
  const own = new Set(keys.map(joinedKey));
  const all = [
    ...patterns.map((pattern, index) =>
      pattern instanceof RegExp ? { name: `own-${index + 1}`, find: pattern } : pattern,
    ),
    ...SECRET_PATTERNS,
  ].map(everywhere);
  const text = (given: string): string => {
    let masked = given;
    // No secret that can be told by its shape is shorter.
    if (given.length >= SHORTEST || patterns.length > 0)
      for (const pattern of all) masked = replaceSecrets(masked, pattern);
    return maxLength === undefined || masked.length <= maxLength
      ? masked
      : `${masked.slice(0, maxLength)}…`;
  };
  const hides = (key: string, value: unknown): boolean =>
    own.has(joinedKey(key)) || isSecretValue(key, value);
  const error = ({ type, message, stack, fields }: RecordedError): RecordedError => ({
    type: text(type),
    message: text(message),
    ...(stack === undefined ? {} : { stack: text(stack) }),
    ...(fields === undefined ? {} : { fields: mask(fields) as RecordedFields }),
  });
  const mask = (value: unknown): unknown => walk(value, { text, hides });
  return Object.assign(mask, { text, error });
}

const SHORTEST = 5;
const BUILT_IN = createMask();

/**
 * A copy of a value in which every secret is replaced: everything under a secret's key, and in
 * texts whatever has a secret's shape (tokens, keys, cards, passwords in URLs). For what is logged,
 * recorded, traced or shown; the value itself is never touched.
 *
 * @example mask({ user: "ada", password: "x" }) // { user: "ada", password: "***" }
 */
export function mask(value: unknown, options?: MaskOptions): unknown {
  return options === undefined ? BUILT_IN(value) : createMask(options)(value);
}

/**
 * A text in which everything that has a secret's shape is replaced.
 *
 * @example maskText("GET /?token=abc failed") // "GET /?token=*** failed"
 */
export const maskText: Mask["text"] = BUILT_IN.text;

/** What was thrown, as a record that may be shown. */
export function maskError(thrown: unknown): RecordedError {
  return BUILT_IN.error(recordError(thrown));
}

/**
 * True, false and nothing are nobody's secret; nor are numbers that are counted rather than known.
 */
function isSecretValue(key: string, value: unknown): boolean {
  if (value === undefined || value === null || typeof value === "boolean") return false;
  return kindOfKey(key) === "counter"
    ? typeof value !== "number" && typeof value !== "bigint"
    : isSecretKey(key);
}
