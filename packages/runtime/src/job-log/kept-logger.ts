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
export function keptLogger(log: Logger, kept: Pick<AttemptLog, "add">, least: JobLogLevel): Logger {
  return wrap(log, kept, least, undefined);
}

function wrap(
  log: Logger,
  kept: Pick<AttemptLog, "add">,
  least: JobLogLevel,
  bound: object | undefined,
): Logger {
  // A proxy, so that a pino logger stays one in the handler. Not of the logger itself, which may be
  // frozen.
  return new Proxy(Object.create(log) as Logger, {
    get(_own, property) {
      const value: unknown = Reflect.get(log, property);
      if (typeof value !== "function") return value;
      if (property === "child")
        return (fields: object, ...options: unknown[]) =>
          wrap(Reflect.apply(value, log, [fields, ...options]) as Logger, kept, least, {
            ...bound,
            ...fields,
          });
      const level = LEVELS.get(property);
      if (level === undefined) return value.bind(log) as unknown;
      return (...said: readonly unknown[]) => {
        Reflect.apply(value, log, said);
        if (isAtLeast(level, least)) kept.add({ level, said, bound });
      };
    },
    set: (_own, property, value) => Reflect.set(log, property, value),
  });
}
