import { MillraceError } from "@millrace/core";
import { SERVER_VARIABLES, type ServerGeneration } from "./version.ts";

/** One way of getting a nats-server that was tried, and why it gave none. */
export interface FailedAttempt {
  readonly way: string;
  readonly reason: string;
}

/** `server-unavailable`: what was tried, and what a person can do. */
export function serverUnavailable(
  wanted: ServerGeneration,
  attempts: readonly FailedAttempt[],
): MillraceError {
  const tried = attempts.map(({ way, reason }) => `  - ${way}: ${reason}`).join("\n");
  return new MillraceError(
    "server-unavailable",
    `No nats-server (${wanted}) was found or could be obtained. Do one of three things:\n` +
      `  1. set ${SERVER_VARIABLES[wanted]} to the path of a nats-server binary,\n` +
      `  2. put nats-server on the PATH (a package of your system, or a release of the NATS project),\n` +
      `  3. install Go, and run this again: the server is then built from its published source.\n` +
      `Tried:\n${tried}`,
  );
}

/** `server-failed`: a server that was started and did not become ready, with its last words. */
export function serverFailed(what: string, logLines: readonly string[]): MillraceError {
  const log =
    logLines.length === 0 ? "It logged nothing." : `Its last lines:\n${logLines.join("\n")}`;
  return new MillraceError("server-failed", `nats-server ${what}. ${log}`);
}
