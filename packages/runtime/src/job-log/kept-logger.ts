import {
  isAtLeast,
  type JobLogLevel,
  type Logger,
  type LogMethod,
  wrapLogger,
} from "@millrace/core";
import type { AttemptLog } from "./attempt-log.ts";

const LEVELS: Readonly<Record<LogMethod, JobLogLevel>> = {
  trace: "debug",
  debug: "debug",
  info: "info",
  warn: "warn",
  error: "error",
  fatal: "error",
};

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
  return wrapLogger(log, {
    child: (make, given) => wrap(make(given), kept, least, { ...bound, ...(given[0] as object) }),
    line(write, said, method) {
      write(said);
      const level = LEVELS[method];
      if (isAtLeast(level, least)) kept.add({ level, said, bound });
    },
  });
}
