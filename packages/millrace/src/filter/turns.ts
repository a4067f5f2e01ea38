const TURN_MS = 10;

/**
 * Between two of the many things that a filter is asked of, others have their turn: to mask and
 * look through one payload may take as long as a hundred small ones.
 */
export class Turns {
  #since = performance.now();

  /** Of the event loop. */
  get isOver(): boolean {
    return performance.now() - this.#since >= TURN_MS;
  }

  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#since = performance.now();
  }
}
