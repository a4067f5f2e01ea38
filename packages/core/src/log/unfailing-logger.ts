import { type Logger, silentLogger } from "./logger.ts";
import { plainFields } from "./plain-fields.ts";

/** Pino's levels; a logger may have fewer. */
const LEVELS = new Set<PropertyKey>(["trace", "debug", "info", "warn", "error", "fatal"]);

const unfailing = new WeakSet<Logger>([silentLogger]);

/**
 * The same logger, whose errors stay with it. A line is written where a job is settled, a lease is
 * lost or a socket is read: what a full disk makes of it there would end the node. A line whose
 * fields the logger can't write is written with what JSON has for them; one that can't be written
 * at all is lost. Everything else the logger can do, it can still do.
 */
export function unfailingLogger<Log extends Logger>(log: Log): Log {
  if (unfailing.has(log)) return log;
  // A proxy, so that a pino logger stays one in the handler. Not of the logger itself, which may be
  // frozen.
  const own = new Proxy(Object.create(log) as Log, {
    get(_own, property) {
      const value: unknown = Reflect.get(log, property);
      if (typeof value !== "function") return value;
      if (property === "child")
        return (...bound: readonly unknown[]) => unfailingLogger(childOf(log, value, bound));
      if (!LEVELS.has(property)) return value.bind(log) as unknown;
      return (...said: readonly unknown[]): void => {
        if (isSaid(log, value, said)) return;
        const [first, ...rest] = said;
        if (typeof first === "object" && first !== null)
          isSaid(log, value, [plainFields(first), ...rest]);
      };
    },
    set: (_own, property, value) => Reflect.set(log, property, value),
  });
  unfailing.add(own);
  return own;
}

/** A line that lacks what was to be bound to it is better than none. */
function childOf<Log extends Logger>(log: Log, child: Function, bound: readonly unknown[]): Log {
  try {
    return Reflect.apply(child, log, bound) as Log;
  } catch {
    return log;
  }
}

function isSaid(log: Logger, say: Function, said: readonly unknown[]): boolean {
  try {
    const saying: unknown = Reflect.apply(say, log, said);
    // Nobody awaits a logger, and a rejection would end the process.
    if (saying instanceof Promise) saying.catch(() => {});
    return true;
  } catch {
    return false;
  }
}
