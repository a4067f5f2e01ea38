import { type Logger, silentLogger } from "./logger.ts";
import { plainFields } from "./plain-fields.ts";
import { wrapLogger } from "./wrap-logger.ts";

const unfailing = new WeakSet<Logger>([silentLogger]);

/**
 * The same logger, whose errors stay with it. A line is written where a job is settled, a lease is
 * lost or a socket is read: what a full disk makes of it there would end the node. A line whose
 * fields the logger can't write is written with what JSON has for them; one that can't be written
 * at all is lost. Everything else the logger can do, it can still do.
 */
export function unfailingLogger<Log extends Logger>(log: Log): Log {
  if (unfailing.has(log)) return log;
  const own = wrapLogger(log, {
    child: (make, bound) => unfailingLogger(childOf(log, () => make(bound))),
    line(write, said) {
      if (isSaid(write, said)) return;
      const [first, ...rest] = said;
      if (typeof first === "object" && first !== null) isSaid(write, [plainFields(first), ...rest]);
    },
  });
  unfailing.add(own);
  return own;
}

/** A line that lacks what was to be bound to it is better than none. */
function childOf<Log extends Logger>(log: Log, make: () => Log): Log {
  try {
    return make();
  } catch {
    return log;
  }
}

function isSaid(write: (said: readonly unknown[]) => unknown, said: readonly unknown[]): boolean {
  try {
    const saying = write(said);
    // Nobody awaits a logger, and a rejection would end the process.
    if (saying instanceof Promise) saying.catch(() => {});
    return true;
  } catch {
    return false;
  }
}
