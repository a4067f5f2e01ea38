import type { Clock, Timer } from "@millrace/core";
import { every, quietly } from "../machine/timers.ts";

export interface SilenceWatchOptions {
  readonly clock: Clock;
  /** The server shows that it is alive at least this often. */
  readonly heartbeatMs: number;
  /** Nothing is asked for, so nothing is to be heard. */
  readonly isExpected: () => boolean;
  /** `goneAtMs`: by then a server that lives would have been heard; on the monotonic clock. */
  readonly onSilence: (goneAtMs: number) => void;
}

/** Half heartbeats. */
const MOST_SILENT_TICKS = 5;
const A_HEARTBEAT_TICKS = 2;

/**
 * Some pulls end without a word: one that meets its consumer's deletion half-way, and from 2.11 one
 * that found no room. A stalled event loop gets one tick for all it missed, and reads its socket
 * before the next: it can't cry wolf.
 */
export class SilenceWatch {
  readonly #options: SilenceWatchOptions;
  #timer: Timer | undefined;
  #ticks = 0;

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, heartbeatMs } = this.#options;
    this.#ticks = 0;
    this.#timer ??= quietly(every(clock, heartbeatMs / 2, () => this.#tick()));
  }

  /** The server was heard, or is to be heard from now on. */
  broken(): void {
    this.#ticks = 0;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #tick(): void {
    const { clock, heartbeatMs, isExpected, onSilence } = this.#options;
    if (isExpected()) this.#ticks = 0;
    this.#ticks += 1;
    if (this.#ticks <= MOST_SILENT_TICKS) return;
    const sinceMs = (heartbeatMs / 2) * (MOST_SILENT_TICKS - A_HEARTBEAT_TICKS);
    onSilence(clock.monotonic() - sinceMs);
  }
}
