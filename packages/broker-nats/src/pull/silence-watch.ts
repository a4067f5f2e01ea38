import type { Clock, Timer } from "@millrace/core";
import { every, quietly, quietTimer } from "../machine/timers.ts";

export interface SilenceWatchOptions {
  readonly clock: Clock;
  /** The server shows that it is alive at least this often. */
  readonly heartbeatMs: number;
  /**
   * By then the end of a pull must have been announced, on the monotonic clock; undefined: nothing
   * is asked for, so nothing is to be heard.
   */
  readonly dueAtMs: () => number | undefined;
  /**
   * @param goneAtMs by then a server that lives would have been heard; on the monotonic clock
   * @param missing what would have been heard
   */
  readonly onSilence: (goneAtMs: number, missing: "heartbeat" | "end") => void;
}

/** Half heartbeats. */
const MOST_SILENT_TICKS = 5;
const A_HEARTBEAT_TICKS = 2;
/** What came while the event loop stood still is read within this. */
const READING_MS = 250;
/** After each silence in a row the end of a pull is waited for longer: a slow server lives. */
const PATIENCE_MS: readonly number[] = [0, 1_000, 2_000, 4_000];

/**
 * Some pulls end without a word: one that meets its consumer's deletion half-way, from 2.11 one
 * that found no room, and all of a leader that dies. Heartbeats tell. Where they are rare, the end
 * that a short pull must have had tells sooner.
 *
 * A stalled event loop gets one tick for all it missed, and reads its socket before the next: it
 * can't cry wolf.
 */
export class SilenceWatch {
  readonly #options: SilenceWatchOptions;
  #timer: Timer | undefined;
  #ticks = 0;
  #endTimer: Timer | undefined;
  /** The end of a pull was due, and may be among what is not read yet. */
  #isDue = false;
  /** Silences in a row that ends told. */
  #silences = 0;

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, heartbeatMs } = this.#options;
    this.#ticks = 0;
    this.#timer ??= quietly(every(clock, heartbeatMs / 2, () => this.#tick()));
  }

  /** A pull is sent that is over after so long. `isFirst`: nothing else is asked for. */
  asked(overAfterMs: number, isFirst: boolean): void {
    if (isFirst) this.#ticks = 0;
    this.#lookAtEnd(overAfterMs);
  }

  /** The server was heard. */
  broken(): void {
    this.#ticks = 0;
    this.#isDue = false;
    this.#silences = 0;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#endTimer?.cancel();
    this.#endTimer = undefined;
    this.#isDue = false;
  }

  #tick(): void {
    const { clock, heartbeatMs, dueAtMs, onSilence } = this.#options;
    if (dueAtMs() === undefined) this.#ticks = 0;
    this.#ticks += 1;
    if (this.#ticks <= MOST_SILENT_TICKS) return;
    const sinceMs = (heartbeatMs / 2) * (MOST_SILENT_TICKS - A_HEARTBEAT_TICKS);
    onSilence(clock.monotonic() - sinceMs, "heartbeat");
  }

  /** Many thousand pulls a second set no timer: the one that is set looks for the next. */
  #lookAtEnd(afterMs: number): void {
    const { clock, heartbeatMs } = this.#options;
    // Heartbeats tell sooner.
    if (afterMs >= (heartbeatMs / 2) * MOST_SILENT_TICKS) return;
    this.#endTimer ??= quietTimer(clock, afterMs, () => this.#end());
  }

  #end(): void {
    this.#endTimer = undefined;
    const { clock, dueAtMs, onSilence } = this.#options;
    const due = dueAtMs();
    if (due === undefined) return;
    const patienceMs = PATIENCE_MS[this.#silences] ?? 0;
    const leftMs = due + patienceMs - clock.monotonic();
    const isOverdue = this.#isDue && leftMs <= 0;
    this.#isDue = leftMs <= 0;
    if (!isOverdue) return this.#lookAtEnd(leftMs > 0 ? leftMs : READING_MS);
    this.#silences = Math.min(this.#silences + 1, PATIENCE_MS.length - 1);
    onSilence(due, "end");
  }
}
