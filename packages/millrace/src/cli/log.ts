import { writeSync } from "node:fs";
import { Writable } from "node:stream";
import type { Logger } from "@millrace/core";
import { pino } from "pino";
import type pretty from "pino-pretty";

type Pretty = typeof pretty;

const STDERR = 2;
/** A reader that is busy is given so long before it is asked again. */
const BUSY_MS = 20;

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
  if (makePretty === undefined) return pino({ level, base: null }, { write: writeLine });
  return pino(
    { level, base: null },
    makePretty({
      destination: new Writable({
        write(line: Uint8Array, _encoding, done) {
          writeLine(line);
          done();
        },
      }),
      colorize: colours,
      // There is one node on this terminal.
      ignore: "pid,hostname,node",
      singleLine: true,
    }),
  );
}

/** At once, so that a process that dies has said why. */
function writeLine(line: string | Uint8Array): void {
  writeOrDrop(line, (rest) => writeSync(STDERR, rest));
}

/**
 * What can't be written is lost: the disk is full, or nobody reads any more. A node has jobs in
 * hand; nothing is kept for later, which might be never.
 *
 * @param write as much as there is room for; says how much that was
 */
export function writeOrDrop(line: string | Uint8Array, write: (rest: Uint8Array) => number): void {
  let rest = Buffer.from(line);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(write(rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_MS);
    }
  }
}
