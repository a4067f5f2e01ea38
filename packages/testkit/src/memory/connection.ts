import { type BrokerStatus, MillraceError, type Stoppable } from "@millrace/core";

/** One broker's line to the server: whether it is up, and what hangs on it. */
export class Connection {
  #status: BrokerStatus = "connected";
  readonly #listeners = new Set<(status: BrokerStatus) => void>();
  readonly #attached = new Set<() => void>();
  #backlog: (() => void)[] = [];

  get status(): BrokerStatus {
    return this.#status;
  }

  get isConnected(): boolean {
    return this.#status === "connected";
  }

  onStatus(listener: (status: BrokerStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * @throws MillraceError `connection-closed` or `request-timeout` where the server can't be
   *   reached
   */
  reach(): void {
    if (this.#status === "connected") return;
    throw this.#status === "closed"
      ? new MillraceError("connection-closed", "The connection was closed. Connect again.")
      : new MillraceError(
          "request-timeout",
          "The server did not answer: the connection is down at the moment. Try again.",
        );
  }

  /** Runs when the line is up: soon, or after the reconnect, in the order of the calls. */
  deliver(action: () => void): void {
    queueMicrotask(() => {
      if (this.#status === "connected" && this.#backlog.length === 0) action();
      else if (this.#status !== "closed") this.#backlog.push(action);
    });
  }

  /** Ties something to the connection: it ends with `stop()`, or when the connection ends. */
  attach(end: () => void): Stoppable {
    const once = (): void => {
      if (this.#attached.delete(once)) end();
    };
    this.#attached.add(once);
    return { stop: async () => once() };
  }

  /** Ends all that hangs on the line, without a word to anybody. */
  detachAll(): void {
    for (const end of [...this.#attached]) end();
    this.#backlog = [];
  }

  change(status: BrokerStatus): void {
    if (this.#status === status || this.#status === "closed") return;
    this.#status = status;
    if (status === "connected") {
      const backlog = this.#backlog;
      this.#backlog = [];
      for (const action of backlog) queueMicrotask(action);
    }
    for (const listener of [...this.#listeners]) listener(status);
  }
}
