import type { Logger } from "./logger.ts";

/** Pino's; a logger may have fewer. */
export type LogMethod = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

const METHODS: ReadonlySet<PropertyKey> = new Set<LogMethod>([
  ...(["trace", "debug", "info", "warn", "error", "fatal"] as const),
]);

/** What is done instead of what the logger would do. */
export interface LoggerWrap<Log> {
  /** @param make calls the logger's own `child` */
  child(make: (bound: readonly unknown[]) => Log, bound: readonly unknown[]): Log;
  /** @param write calls the logger's own method */
  line(
    write: (said: readonly unknown[]) => unknown,
    said: readonly unknown[],
    method: LogMethod,
  ): void;
}

/**
 * The same logger, but for its lines and its children. Everything else it can do, it can still do,
 * and whoever has made it from a class finds it to be of that class. It may be frozen, have private
 * fields, or be a proxy itself.
 *
 * @example
 * wrapLogger(log, {
 *   child: (make, bound) => make(bound),
 *   line: (write, said) => void write(said),
 * });
 */
export function wrapLogger<Log extends Logger>(log: Log, wrap: LoggerWrap<Log>): Log {
  // A proxy, so that a pino logger stays one in the handler. Not of the logger itself, which may be
  // frozen.
  return new Proxy(Object.create(log) as Log, {
    get(_own, property) {
      const value: unknown = Reflect.get(log, property);
      if (typeof value !== "function") return value;
      const call = (given: readonly unknown[]): unknown => Reflect.apply(value, log, given);
      if (property === "child")
        return (...bound: readonly unknown[]) => wrap.child((own) => call(own) as Log, bound);
      return isMethod(property)
        ? (...said: readonly unknown[]) => wrap.line(call, said, property)
        : (value.bind(log) as unknown);
    },
    set: (_own, property, value) => Reflect.set(log, property, value),
  });
}

function isMethod(property: PropertyKey): property is LogMethod {
  return METHODS.has(property);
}
