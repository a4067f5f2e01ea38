import type { Logger } from "@millrace/core";
import { pino } from "pino";
import pretty from "pino-pretty";

/** Logs to stderr: lines for people on a terminal, JSON lines elsewhere. Stdout stays free for results. */
export function cliLogger(level: "debug" | "info" | "warn" | "error", colours: boolean): Logger {
  if (!process.stderr.isTTY)
    return pino({ level, base: null }, pino.destination({ fd: 2, sync: true }));
  return pino(
    { level, base: null },
    pretty({
      destination: 2,
      sync: true,
      colorize: colours,
      // There is one node on this terminal.
      ignore: "pid,hostname,node",
      singleLine: true,
    }),
  );
}
