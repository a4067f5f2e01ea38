import { MillraceError } from "./millrace-error.ts";

/**
 * An error as it travels: in envelopes, history records and dead letters. Bounded, so that no error can
 * push a message over the server's limit.
 */
export interface RecordedError {
  /** Low cardinality: a code of the error table, or the class name of what the handler threw. */
  readonly type: string;
  readonly message: string;
  readonly stack?: string;
}

const MAX_MESSAGE = 1024;
const MAX_STACK = 2048;

/** Anything thrown, as a bounded record. Never throws, whatever it is given. */
export function recordError(thrown: unknown, fallbackType = "handler-failed"): RecordedError {
  if (MillraceError.is(thrown)) return record(thrown.code, thrown.message, thrown.stack);
  if (thrown instanceof Error) {
    const type = typeof thrown.name === "string" && thrown.name !== "" ? thrown.name : fallbackType;
    return record(
      type,
      readText(() => thrown.message),
      readText(() => thrown.stack ?? ""),
    );
  }
  return record(
    fallbackType,
    readText(() => (typeof thrown === "string" ? thrown : inspectBriefly(thrown))),
  );
}

/** The record without what can be spared, for a message that is close to the server's size limit. */
export function trimError(error: RecordedError): RecordedError {
  return { type: error.type.slice(0, 64), message: error.message.slice(0, 128) };
}

function record(type: string, message: string, stack?: string): RecordedError {
  const base = { type: type.slice(0, 128), message: clip(message, MAX_MESSAGE) };
  return stack ? { ...base, stack: clip(stack, MAX_STACK) } : base;
}

function clip(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;
}

/** Getters of a foreign error may throw. */
function readText(read: () => unknown): string {
  try {
    return String(read());
  } catch {
    return "(unreadable)";
  }
}

function inspectBriefly(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
