import type { Logger } from "@millrace/core";
import type { Mask } from "../masking/index.ts";
import { maskFields, maskThrown } from "./mask-fields.ts";
import { activeTraceIds, type TraceIds } from "./trace-ids.ts";

/** Pino's levels; a logger may have fewer. */
const LEVELS = new Set<PropertyKey>(["trace", "debug", "info", "warn", "error", "fatal"]);

/**
 * The same logger, with its secrets masked and its lines bound to the active span: `trace_id` and
 * `span_id`. What is bound by `child` inside of a span keeps that span's ids for lines that are
 * written outside of any. Everything else the logger can do, it can still do.
 *
 * @example
 * const log = maskedLogger(pino(), mask);
 * log.info({ password: "x" }, "GET /?token=abc"); // {"password":"***","msg":"GET /?token=***"}
 */
export function maskedLogger<Log extends Logger>(log: Log, mask: Mask): Log {
  return wrap(log, mask, undefined);
}

function wrap<Log extends Logger>(log: Log, mask: Mask, bound: TraceIds | undefined): Log {
  // A proxy and not an object of our own: whoever gave us a pino logger has a pino logger in the
  // handler.
  return new Proxy(log, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      if (property === "child")
        return (fields: object, ...options: unknown[]) => {
          const child = Reflect.apply(value, target, [maskFields(fields, mask), ...options]) as Log;
          return wrap(child, mask, activeTraceIds() ?? bound);
        };
      if (!LEVELS.has(property)) return value.bind(target) as unknown;
      return (...said: readonly unknown[]) => {
        if (isSilent(target, property)) return;
        Reflect.apply(value, target, line(said, mask, activeTraceIds() ?? bound));
      };
    },
  });
}

/** What is not written need not be masked. */
function isSilent(log: object, level: PropertyKey): boolean {
  return (
    "isLevelEnabled" in log &&
    typeof log.isLevelEnabled === "function" &&
    (log.isLevelEnabled as (level: PropertyKey) => unknown)(level) === false
  );
}

/**
 * A line's arguments: `(fields, message)`, and what pino takes besides: a message alone, an error,
 * values for the message.
 */
function line(
  [first, ...rest]: readonly unknown[],
  mask: Mask,
  ids: TraceIds | undefined,
): readonly unknown[] {
  const others = rest.map((value) => mask(value));
  if (first instanceof Error) {
    const err = maskThrown(first, mask);
    return [{ ...ids, err }, ...(others.length === 0 ? [mask.text(first.message)] : others)];
  }
  if (typeof first === "object" && first !== null)
    return [{ ...ids, ...maskFields(first, mask) }, ...others];
  return ids === undefined ? [mask(first), ...others] : [ids, mask(first), ...others];
}
