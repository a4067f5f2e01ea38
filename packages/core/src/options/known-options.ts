import type { ErrorCode } from "../errors/codes.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { nearest } from "./nearest.ts";
import { mustBe, requireFunction, requireOptions, requireSignal } from "./option-values.ts";

/**
 * The names of the options that a call takes. The compiler asks for each of them.
 *
 * @example
 * const NAMES = optionNames<PurgeOptions>({ delayed: true, by: true });
 */
export function optionNames<Options extends object>(
  names: Readonly<Record<keyof Options, true>>,
): ReadonlySet<string> {
  return new Set(Object.keys(names));
}

type Check = (value: unknown, name: string, code: ErrorCode | undefined, of: string) => void;

const isText: Check = (value, name, code) => {
  if (typeof value !== "string") throw mustBe(name, "a text", value, code);
};
const isFlag: Check = (value, name, code) => {
  if (typeof value !== "boolean") throw mustBe(name, "true or false", value, code);
};
const isFunction: Check = (value, name, code) => void requireFunction(value, name, code);
const isTime: Check = (value, name, code) => {
  if (typeof value !== "number" || Number.isNaN(value))
    throw mustBe(name, "epoch milliseconds", value, code);
};

/** What is of one kind wherever there is one. Other options are checked where they are read. */
const OF_ONE_KIND: ReadonlyMap<string, Check> = new Map([
  ...["by", "reason", "where", "action", "prefix", "holder"].map((name) => [name, isText] as const),
  ...["onProgress", "onUnanswered", "onDefect"].map((name) => [name, isFunction] as const),
  ...["delayed", "replace", "merge", "follow", "force"].map((name) => [name, isFlag] as const),
  ["since", isTime],
  ["signal", (value, _name, code, of) => requireSignal(value, of, code)],
]);

/**
 * Refuses an option that there is not: from JavaScript, or from a variable, a mistyped one would
 * change nothing, and nobody would be told. One that is undefined was left out.
 *
 * Cheap, because it is asked for each job that is enqueued: an object with no options, or few, is
 * walked once. What is the same wherever there is one is checked here: a `signal` that is none
 * would end nothing, and a `by` that is no text leaves a record that nobody can read.
 *
 * @param of what the options are of: `defineJob()`
 * @param within where they stand, for a group of options: `retry`
 * @throws MillraceError `invalid-option`, with the name that may have been meant; for what is no
 *   object, or an option of another kind
 */
export function refuseUnknown(
  options: object,
  names: ReadonlySet<string>,
  of: string,
  within?: string,
  code?: ErrorCode,
): void {
  requireOptions(options, of, within, code);
  for (const name in options) {
    const value = (options as Record<string, unknown>)[name];
    if (value === undefined) continue;
    if (!names.has(name)) throw unknownOption(name, names, of, within, code);
    OF_ONE_KIND.get(name)?.(value, name, code, of);
  }
}

/**
 * Refuses a filter of things to be changed that has a term without a value: an id that the caller's
 * own code did not find would mean everything. What is not asked for is left out.
 *
 * @param of what the filter is of: `dead.discard()`
 * @throws MillraceError `invalid-option`
 */
export function refuseUndefined(filter: object, of: string): void {
  if (typeof filter !== "object" || (filter as object | null) === null || Array.isArray(filter))
    throw new MillraceError(
      "invalid-option",
      `filter: ${of} takes an object. An empty one means everything there is.`,
    );
  for (const [name, value] of Object.entries(filter))
    if (value === undefined)
      throw new MillraceError(
        "invalid-option",
        `${name}: is undefined, which ${of} would take for everything. Give it a value, or leave it out if that is what you mean.`,
      );
}

function unknownOption(
  name: string,
  names: ReadonlySet<string>,
  of: string,
  within: string | undefined,
  code: ErrorCode = "invalid-option",
): MillraceError {
  const shown = name.slice(0, 80);
  const path = within === undefined ? shown : `${within}.${shown}`;
  return new MillraceError(
    code,
    `${path}: ${of} has no such option. ${whatIsMeant(shown, names, of)}`,
  );
}

/** Their options say what jobs are to be: how long the call itself may take is the client's. */
const ENQUEUES: ReadonlySet<string> = new Set([
  ...["an enqueue", "enqueueMany()", "a batch", "a job of a chain"],
]);

/** Options that other libraries have beside those among which they are here. */
const ELSEWHERE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "defineJob()": { attempts: "retry.attempts", backoff: "retry.backoff" },
};

function whatIsMeant(name: string, names: ReadonlySet<string>, of: string): string {
  if ((name === "signal" || name === "timeout") && ENQUEUES.has(of))
    return `A client has it for all its calls: client.with({ ${name} }).`;
  const meant = ELSEWHERE[of]?.[name] ?? nearest(name, names);
  return meant === undefined ? `Options: ${[...names].join(", ")}.` : `Did you mean ${meant}?`;
}
