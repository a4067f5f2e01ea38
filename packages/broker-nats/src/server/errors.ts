/** One way of getting a nats-server that was tried, and why it gave none. */
export interface FailedAttempt {
  readonly way: string;
  readonly reason: string;
}

/** No usable nats-server could be had. The message lists what was tried and what a person can do. */
export class ServerUnavailableError extends Error {
  override readonly name = "ServerUnavailableError";
  readonly code = "server-unavailable";
  readonly attempts: readonly FailedAttempt[];

  constructor(wanted: string, attempts: readonly FailedAttempt[]) {
    const tried = attempts.map(({ way, reason }) => `  - ${way}: ${reason}`).join("\n");
    super(
      `No nats-server (${wanted}) was found or could be obtained. Do one of three things:\n` +
        `  1. set NATS_SERVER (NATS_SERVER_OLD for 2.10) to the path of a nats-server binary,\n` +
        `  2. put nats-server on the PATH (a package of your system, or a release of the NATS project),\n` +
        `  3. install Go, and run this again: the server is then built from its published source.\n` +
        `Tried:\n${tried}`,
    );
    this.attempts = attempts;
  }
}

/** A nats-server was started and did not become ready, or could not be started again. */
export class ServerLaunchError extends Error {
  override readonly name = "ServerLaunchError";
  readonly code = "server-launch-failed";

  constructor(what: string, logLines: readonly string[]) {
    const log =
      logLines.length === 0 ? "It logged nothing." : `Its last lines:\n${logLines.join("\n")}`;
    super(`nats-server ${what}. ${log}`);
  }
}
