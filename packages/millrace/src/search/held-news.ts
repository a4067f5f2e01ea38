import type { Clock, Envelope } from "@millrace/core";
import type { ShowValue } from "@millrace/telemetry/masking";
import type { News } from "./index-calls.ts";
import { heardNews } from "./news-of.ts";

/** So many, and payloads so long. */
const MOST = 20_000;
const MOST_CHARACTERS = 32 * 2 ** 20;
/** Written at once. */
const PAGE = 1_000;

interface Held {
  readonly news: News;
  readonly length: number;
}

/** What is heard of jobs, held until it is written. */
export class HeldNews {
  readonly #clock: Clock;
  readonly #show: ShowValue;
  #held: Held[] = [];
  #characters = 0;
  #unheard = 0;

  constructor({ clock, show }: { readonly clock: Clock; readonly show: ShowValue }) {
    this.#clock = clock;
    this.#show = show;
  }

  /** More was heard at once than could be held. */
  get unheard(): number {
    return this.#unheard;
  }

  hold(envelope: Envelope): void {
    if (this.#held.length >= MOST || this.#characters >= MOST_CHARACTERS) this.#unheard += 1;
    else this.#add(heardNews(envelope, this.#clock.now(), this.#show));
  }

  /** What could not be written is written the next time. */
  async write(write: (news: readonly News[]) => Promise<void>): Promise<void> {
    const held = this.#held;
    let written = 0;
    this.drop();
    try {
      for (; written < held.length; written += PAGE)
        await write(held.slice(written, written + PAGE).map(({ news }) => news));
    } catch (error) {
      const since = this.#held;
      this.drop();
      for (const one of [...held.slice(written), ...since]) this.#add(one);
      throw error;
    }
  }

  drop(): void {
    this.#held = [];
    this.#characters = 0;
  }

  #add(one: Held): void {
    this.#held.push(one);
    this.#characters += one.length;
  }
}
