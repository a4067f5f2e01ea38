import type { Broker, Clock } from "@millrace/core";

/** Two clocks of good quality drift apart by less than a millisecond in this time. */
const BELIEVED_MS = 30_000;

/**
 * The broker's clock, as far as a node can know it: what nodes reckon with together must not depend on which of them has its clock
 * right. Between two looks the node's monotonic clock goes on for it.
 */
export class ServerClock {
  readonly #broker: Pick<Broker, "serverTime">;
  readonly #clock: Clock;
  #known: { readonly aheadMs: number; readonly atMs: number } | undefined;
  #looking: Promise<void> | undefined;

  constructor(broker: Pick<Broker, "serverTime">, clock: Clock) {
    this.#broker = broker;
    this.#clock = clock;
  }

  /** @throws MillraceError where the broker can't be asked and never could */
  async now(): Promise<number> {
    const known = this.#known;
    if (known === undefined) await this.#look();
    // Looked at in the background: nobody waits for a little drift.
    else if (this.#clock.monotonic() - known.atMs > BELIEVED_MS) this.#look().catch(() => {});
    return this.#clock.monotonic() + (this.#known?.aheadMs ?? 0);
  }

  #look(): Promise<void> {
    this.#looking ??= this.#ask().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #ask(): Promise<void> {
    const sentMs = this.#clock.monotonic();
    const server = await this.#broker.serverTime();
    const atMs = this.#clock.monotonic();
    this.#known = { aheadMs: server - (sentMs + atMs) / 2, atMs };
  }
}
