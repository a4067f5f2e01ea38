import type { Broker, Stoppable } from "@millrace/core";

/**
 * Something that has to be read again after each outage before anybody relies on it: what happened
 * meanwhile went by unheard. The time before the start counts as one.
 */
export class KnownAfterOutage {
  readonly #read: () => Promise<void>;
  #outages = 1;
  /** It was read after so many. */
  #readAfter = 0;
  #reading: Promise<void> | undefined;

  constructor(read: () => Promise<void>) {
    this.#read = read;
  }

  /** Asked for every job, so it is cheap. */
  get isStale(): boolean {
    return this.#readAfter < this.#outages;
  }

  /**
   * Reads it now, and after each reconnect.
   *
   * @param onFailure after a reconnect; whoever needs it reads again, and has the error
   */
  async open(
    broker: Pick<Broker, "onStatus">,
    onFailure: (error: unknown) => void = () => {},
  ): Promise<Stoppable> {
    const unwatch = broker.onStatus((status) => {
      if (status === "connected") this.missed(onFailure);
    });
    try {
      await this.catchUp();
    } catch (error) {
      unwatch();
      throw error;
    }
    return { stop: async () => unwatch() };
  }

  /** Something may have gone by unheard: reads again. @param onFailure as of `open` */
  missed(onFailure: (error: unknown) => void = () => {}): void {
    this.#outages += 1;
    this.catchUp().catch(onFailure);
  }

  /**
   * One read at a time; one that a reconnect has overtaken is made again. Resolves at once where
   * nothing is stale.
   */
  catchUp(): Promise<void> {
    this.#reading ??= this.#readUntilKnown().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readUntilKnown(): Promise<void> {
    while (this.isStale) {
      const outages = this.#outages;
      await this.#read();
      this.#readAfter = outages;
    }
  }
}
