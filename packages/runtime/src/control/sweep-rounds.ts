import { type Clock, type Logger, recordError, type Timer } from "@millrace/core";

const EVERY_MS = 15 * 60_000;

/**
 * Sweeps the cancellations now and then, while there are any: a node that hears of none sets no
 * timer. The pause is drawn anew each time, so that the nodes of a fleet do not sweep at once. It
 * does no harm if several do.
 */
export class SweepRounds {
  readonly #host: { readonly clock: Clock; readonly log: Logger; readonly random: () => number };
  readonly #sweep: () => Promise<void>;
  #timer: Timer | undefined;
  #state: "idle" | "waiting" | "stopped" = "stopped";

  constructor(
    host: { readonly clock: Clock; readonly log: Logger; readonly random: () => number },
    sweep: () => Promise<void>,
  ) {
    this.#host = host;
    this.#sweep = sweep;
  }

  /** From here on sweeps may be called for. */
  start(): void {
    if (this.#state === "stopped") this.#state = "idle";
  }

  /** There is something that a sweep should look at in its time. */
  wanted(): void {
    if (this.#state !== "idle") return;
    this.#state = "waiting";
    const { clock, log, random } = this.#host;
    this.#timer = clock.setTimer(EVERY_MS * (0.5 + random()), () => {
      this.#state = "idle";
      this.#sweep().catch((error: unknown) => {
        log.warn({ error: recordError(error) }, "cancellations could not be swept; trying later");
        this.wanted();
      });
    });
  }

  stop(): void {
    this.#state = "stopped";
    this.#timer?.cancel();
  }
}
