import type { Stoppable } from "@millrace/core";

/** What a connection keeps open for others, and ends before it closes. */
export class Openings {
  readonly #open = new Set<Stoppable>();
  #stopping = false;

  /** Closing stops it too; stopped before, it is forgotten. */
  keep(opened: Stoppable): Stoppable {
    const kept: Stoppable = {
      stop: () => {
        this.#open.delete(kept);
        return opened.stop();
      },
    };
    this.add(kept);
    // Opened while the connection was being closed, which did not know of it.
    if (this.#stopping) void kept.stop();
    return kept;
  }

  add(open: Stoppable): void {
    this.#open.add(open);
  }

  delete(open: Stoppable): void {
    this.#open.delete(open);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#open].map((open) => open.stop()));
  }
}
