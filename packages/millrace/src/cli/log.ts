import type { Logger } from "@millrace/core";
import { pino } from "pino";
import type pretty from "pino-pretty";

type Pretty = typeof pretty;

/**
 * What makes lines for people, where there is a terminal. On a server it would only take up memory.
 */
export async function prettyOnTerminals(): Promise<Pretty | undefined> {
  return process.stderr.isTTY ? (await import("pino-pretty")).default : undefined;
}

/**
 * Logs to stderr: lines for people on a terminal, JSON lines elsewhere. Stdout stays free for
 * results.
 */
export function cliLogger(
  level: "debug" | "info" | "warn" | "error",
  makePretty: Pretty | undefined,
  colours: boolean,
): Logger {
  if (makePretty === undefined)
    return pino({ level, base: null }, pino.destination({ fd: 2, sync: true }));
  return pino(
    { level, base: null },
    makePretty({
      destination: 2,
      sync: true,
      colorize: colours,
      // There is one node on this terminal.
      ignore: "pid,hostname,node",
      singleLine: true,
    }),
  );
}
