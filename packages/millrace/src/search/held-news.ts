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
    if (this.#held.length >= MOST || this.#characters >= MOST_CHARACTERS) {
      this.#unheard += 1;
    } else {
      const held = heardNews(envelope, this.#clock.now(), this.#show);
      this.#held.push(held);
      this.#characters += held.length;
    }
  }

  /** What could not be written is held, and written the next time. */
  async write(write: (news: readonly News[]) => Promise<void>): Promise<void> {
    const held = this.#held;
    for (let left = held.length; left > 0; left -= PAGE) {
      const page = held.slice(0, Math.min(PAGE, left));
      await write(page.map(({ news }) => news));
      // All of it was dropped meanwhile.
      if (this.#held !== held) return;
      // Until then it takes room, too.
      held.splice(0, page.length);
      for (const { length } of page) this.#characters -= length;
    }
  }

  drop(): void {
    this.#held = [];
    this.#characters = 0;
  }
}
