import { isAtLeast, type JobLogLevel, type Logger } from "@millrace/core";
import type { AttemptLog } from "./attempt-log.ts";

/** Pino's levels; a logger may have fewer. */
const LEVELS: ReadonlyMap<PropertyKey, JobLogLevel> = new Map<PropertyKey, JobLogLevel>([
  ["trace", "debug"],
  ["debug", "debug"],
  ["info", "info"],
  ["warn", "warn"],
  ["error", "error"],
  ["fatal", "error"],
]);

/**
 * The same logger, whose lines are kept too, whatever level it writes itself. What the handler adds
 * with `child` is among the fields that are kept.
 */
export function keptLogger(log: Logger, kept: AttemptLog, least: JobLogLevel): Logger {
  return wrap(log, kept, least, undefined);
}

function wrap(
  log: Logger,
  kept: AttemptLog,
  least: JobLogLevel,
  bound: object | undefined,
): Logger {
  // A proxy, so that a pino logger stays one in the handler.
  return new Proxy(log, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      if (property === "child")
        return (fields: object, ...options: unknown[]) =>
          wrap(Reflect.apply(value, target, [fields, ...options]) as Logger, kept, least, {
            ...bound,
            ...fields,
          });
      const level = LEVELS.get(property);
      if (level === undefined) return value.bind(target) as unknown;
      return (...said: readonly unknown[]) => {
        Reflect.apply(value, target, said);
        if (isAtLeast(level, least)) kept.add({ level, said, bound });
      };
    },
  });
}
