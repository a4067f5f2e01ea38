import type { Broker, Clock } from "@millrace/core";

/** Two clocks of good quality drift apart by less than a millisecond in this time. */
const BELIEVED_MS = 30_000;
/** An answer that took longer says too little about when it was given. */
const GOOD_ANSWER_MS = 100;
const TRIES = 3;

/**
 * The server's clock, as far as a node can know it: what nodes reckon with together must not depend
 * on which of them has its clock right. Between two looks the node's monotonic clock goes on for
 * it.
 */
export class ServerClock {
  readonly #broker: Pick<Broker, "serverNow">;
  readonly #clock: Clock;
  #known: { readonly aheadMs: number; readonly atMs: number } | undefined;
  #looking: Promise<void> | undefined;

  constructor(broker: Pick<Broker, "serverNow">, clock: Clock) {
    this.#broker = broker;
    this.#clock = clock;
  }

  /**
   * Epoch milliseconds, not rounded.
   *
   * @param oldestMs how old the server's word may be. Left out, an old one is renewed in the
   *   background: nobody waits for a little drift
   * @throws MillraceError where the broker has to be asked and can't be
   */
  async now(oldestMs = Infinity): Promise<number> {
    const ageMs = this.#clock.monotonic() - (this.#known?.atMs ?? -Infinity);
    if (this.#known === undefined || ageMs > oldestMs) await this.#look();
    else if (ageMs > BELIEVED_MS) this.#look().catch(() => {});
    return this.#clock.monotonic() + (this.#known?.aheadMs ?? 0);
  }

  #look(): Promise<void> {
    this.#looking ??= this.#ask().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  /** The quickest of a few answers counts, where none is quick enough. */
  async #ask(): Promise<void> {
    let best: { readonly tookMs: number; readonly aheadMs: number } | undefined;
    for (let tries = 0; tries < TRIES && (best?.tookMs ?? Infinity) > GOOD_ANSWER_MS; tries += 1) {
      const askedMs = this.#clock.monotonic();
      const server = await this.#broker.serverNow();
      const answeredMs = this.#clock.monotonic();
      const tookMs = answeredMs - askedMs;
      if (tookMs < (best?.tookMs ?? Infinity))
        best = { tookMs, aheadMs: server - (askedMs + answeredMs) / 2 };
    }
    if (best !== undefined) this.#known = { aheadMs: best.aheadMs, atMs: this.#clock.monotonic() };
  }
}
