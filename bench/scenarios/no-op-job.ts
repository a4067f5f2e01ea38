import { defineJob } from "millrace";

export const QUEUE = "bench";

/**
 * The job of every scenario: its payload is its number, so that distinct jobs can be counted
 * without a set.
 */
export const noOp = defineJob<{ n: number; pad: string }>({ name: "bench.noop", queue: QUEUE });

/** About the size of a small real payload: 100 bytes. */
export const payloadOf = (n: number): { n: number; pad: string } => ({ n, pad: "x".repeat(88) });

/** Counts each number once, and resolves when all have been seen. */
export class Tally {
  readonly #seen: Uint8Array;
  #left: number;
  readonly #all = Promise.withResolvers<void>();

  constructor(amount: number) {
    this.#seen = new Uint8Array(amount);
    this.#left = amount;
  }

  add(n: number): void {
    if (this.#seen[n] !== 0) return;
    this.#seen[n] = 1;
    this.#left -= 1;
    if (this.#left === 0) this.#all.resolve();
  }

  get all(): Promise<void> {
    return this.#all.promise;
  }
}
