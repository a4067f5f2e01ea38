import { type Logger, type MillraceError, recordError } from "@millrace/core";

/** While no server answers, the log says so once in so long. */
const EVERY_MS = 60_000;

/**
 * The lines of a log while a program waits for its first server, or its thread that extends leases
 * for its own connection: without one it would look as if it hung.
 */
export class WaitingLog {
  readonly #log: Logger;
  readonly #servers: readonly string[];
  readonly #for: "server" | "leases";
  readonly #now: () => number;
  #sinceMs: number | undefined;
  #toldMs = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds of a clock that never steps */
  constructor(
    log: Logger,
    servers: readonly string[],
    purpose: "server" | "leases",
    now = () => performance.now(),
  ) {
    this.#for = purpose;
    this.#log = log;
    this.#servers = servers;
    this.#now = now;
  }

  /** A dial has failed and is made again. */
  refused(error: MillraceError): void {
    const now = this.#now();
    this.#sinceMs ??= now;
    if (now - this.#toldMs < EVERY_MS) return;
    this.#toldMs = now;
    this.#log.warn(
      {
        servers: this.#servers,
        waitedMs: Math.round(now - this.#sinceMs),
        error: recordError(error.cause ?? error),
      },
      this.#for === "server"
        ? "waiting for a NATS server: none answers yet; trying until one does"
        : "no lease can be extended: the thread that does that can't connect; trying until it can",
    );
  }

  /** Says nothing where there was nothing to wait for. */
  connected(): void {
    if (this.#sinceMs === undefined) return;
    this.#log.info(
      { servers: this.#servers, waitedMs: Math.round(this.#now() - this.#sinceMs) },
      this.#for === "server"
        ? "a NATS server answers"
        : "the thread that extends leases is connected",
    );
    this.#sinceMs = undefined;
  }
}
