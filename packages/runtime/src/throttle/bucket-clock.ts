import type { Broker, Clock } from "@millrace/core";

const SYNC_EVERY_MS = 60_000;
/** An answer that took longer says too little about when it was given. */
const GOOD_ANSWER_MS = 100;
const TRIES = 3;

/**
 * The server's time, from this process's monotonic clock and what the server said last: nodes whose own clocks are minutes apart
 * agree within a round trip.
 */
export class BucketClock {
  readonly #broker: Pick<Broker, "serverNow">;
  readonly #clock: Clock;
  #synced: { readonly atMs: number; readonly offsetMs: number } | undefined;

  constructor(broker: Pick<Broker, "serverNow">, clock: Clock) {
    this.#broker = broker;
    this.#clock = clock;
  }

  /**
   * Epoch milliseconds, not rounded.
   *
   * @param ageMs how old the server's word may be
   */
  async now(ageMs = SYNC_EVERY_MS): Promise<number> {
    const at = this.#clock.monotonic();
    if (this.#synced === undefined || at - this.#synced.atMs > ageMs)
      this.#synced = await this.#sync();
    return this.#clock.monotonic() + this.#synced.offsetMs;
  }

  async #sync(): Promise<{ readonly atMs: number; readonly offsetMs: number }> {
    let best: { readonly tookMs: number; readonly offsetMs: number } | undefined;
    for (let tries = 0; tries < TRIES && (best?.tookMs ?? Infinity) > GOOD_ANSWER_MS; tries += 1) {
      const asked = this.#clock.monotonic();
      const server = await this.#broker.serverNow();
      const answered = this.#clock.monotonic();
      const tookMs = answered - asked;
      if (tookMs < (best?.tookMs ?? Infinity))
        best = { tookMs, offsetMs: server - (asked + answered) / 2 };
    }
    return { atMs: this.#clock.monotonic(), offsetMs: best?.offsetMs ?? 0 };
  }
}
