import { ownFields, type RecordedFields } from "./error-fields.ts";
import { attempt, clip } from "./foreign-value.ts";
import { MillraceError } from "./millrace-error.ts";

/**
 * An error as it travels: in envelopes, history records and dead letters. Bounded, so that no error
 * can push a message over the server's limit.
 */
export interface RecordedError {
  /** Low cardinality: a code of the error table, or the class name of what the handler threw. */
  readonly type: string;
  readonly message: string;
  readonly stack?: string;
  /** What the error's class names by `errorFields`; absent of most. */
  readonly fields?: RecordedFields;
}

const MAX_MESSAGE = 1024;
const MAX_STACK = 2048;

/** Anything thrown, as a bounded record. Never throws, whatever it is given. */
export function recordError(thrown: unknown, fallbackType = "handler-failed"): RecordedError {
  const type = attempt(() => typeOf(thrown)) ?? fallbackType;
  const isError = attempt(() => MillraceError.is(thrown) || thrown instanceof Error) ?? false;
  if (!isError)
    return record(
      type,
      readText(() => (typeof thrown === "string" ? thrown : inspectBriefly(thrown))),
    );
  const error = thrown as Error;
  const message = readText(() => error.message);
  const code = attempt(() => causeCode(error));
  return record(
    type,
    code === undefined || message.includes(code) ? message : `${message} (${code})`,
    attempt(() => error.stack),
  );
}

/** A word of the system's or a library's, such as ECONNREFUSED; no secret looks like it. */
const CODE = /^[A-Z]{3,}(?:_[A-Z]+)*$/;
const MAX_CODE = 48;

/** What lies behind an error that says little by itself: of `fetch` it is "fetch failed". */
function causeCode(error: Error): string | undefined {
  if (MillraceError.is(error)) return undefined;
  const cause = error.cause as { readonly code?: unknown } | null | undefined;
  const code = cause?.code;
  return typeof code === "string" && code.length <= MAX_CODE && CODE.test(code) ? code : undefined;
}

/** The same with the fields that the error or its class names by `errorFields`. */
export function recordFailure(thrown: unknown, fallbackType?: string): RecordedError {
  const recorded = recordError(thrown, fallbackType);
  const isError = attempt(() => thrown instanceof Error) ?? false;
  const fields = isError ? ownFields(thrown as Error) : undefined;
  return fields === undefined ? recorded : { ...recorded, fields };
}

function typeOf(thrown: unknown): string | undefined {
  const type: unknown = MillraceError.is(thrown)
    ? thrown.code
    : thrown instanceof Error
      ? thrown.name
      : undefined;
  return typeof type === "string" && type !== "" ? type : undefined;
}

/**
 * The record without what can be spared, for a message that is close to the server's size limit.
 */
export function trimError(error: RecordedError): RecordedError {
  return { type: error.type.slice(0, 64), message: error.message.slice(0, 128) };
}

function record(type: string, message: string, stack?: unknown): RecordedError {
  const base = { type: type.slice(0, 128), message: clip(message, MAX_MESSAGE) };
  return typeof stack === "string" && stack !== ""
    ? { ...base, stack: clip(stack, MAX_STACK) }
    : base;
}

function readText(read: () => unknown): string {
  return attempt(() => String(read())) ?? "(unreadable)";
}

function inspectBriefly(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
