import { type Logger, plainFields } from "@millrace/core";
import type { Said } from "./thread-protocol.ts";

type LogLevel = Extract<Said, { say: "log" }>["level"];
type Say = (said: Said) => void;

/** The log of a handler in a thread: the node writes its lines. */
export function forwardingLogger(say: Say, bound: object = {}): Logger {
  const forward =
    (level: LogLevel) =>
    (fields: object, message: string): void =>
      sayLogged(say, level, { bound, fields }, message);
  return {
    debug: forward("debug"),
    info: forward("info"),
    warn: forward("warn"),
    error: forward("error"),
    child: (fields) => forwardingLogger(say, { ...bound, ...fields }),
  };
}

/**
 * What can't leave the thread is told in the form that JSON has for it; a log line must not fail a
 * job.
 */
function sayLogged(
  say: Say,
  level: LogLevel,
  { bound, fields }: { readonly bound: object; readonly fields: object },
  message: string,
): void {
  try {
    say({ say: "log", level, fields: { ...bound, ...fields }, message });
  } catch {
    const plain = { ...bound, ...plainFields(fields) };
    try {
      say({ say: "log", level, fields: plainFields(plain), message: textOf(message) });
    } catch {
      // The thread is at its end.
    }
  }
}

/** A handler in JavaScript may give anything. */
function textOf(message: unknown): string {
  try {
    return String(message);
  } catch {
    return "(unreadable)";
  }
}
