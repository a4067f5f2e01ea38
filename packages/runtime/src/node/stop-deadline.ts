import type { Clock } from "@millrace/core";
import { handBackTimeMs, LEAST_MS, type NodeState, stopTimeMs } from "./node-machine.ts";

/** When a stopping node should be gone, and everything closed that is closed after it. */
export class StopDeadline {
  readonly #clock: Clock;
  readonly #graceMs: number;
  /** `Clock.monotonic()`; undefined while nobody stops the node. */
  #atMs: number | undefined;

  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  /** Of the node, each in its turn. */
  entered(state: NodeState): void {
    const now = this.#clock.monotonic();
    if (state === "draining" || state === "closing") this.#atMs ??= now + stopTimeMs(this.#graceMs);
    // Where it was told to hurry, most of the grace is given up.
    if (state === "handingBack")
      this.#atMs = Math.min(this.#atMs ?? Infinity, now + handBackTimeMs(this.#graceMs));
  }

  /** Enough for one round trip in any case. */
  get leftMs(): number {
    if (this.#atMs === undefined) return stopTimeMs(this.#graceMs);
    return Math.max(LEAST_MS, this.#atMs - this.#clock.monotonic());
  }
}
