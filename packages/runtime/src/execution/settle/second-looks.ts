import { type Broker, type Clock, type Logger, recordError, type Timer } from "@millrace/core";

/**
 * In a cluster, a leader that was cut off, or stood still, answers for up to 20 s as if nothing had
 * come since.
 */
const AFTER_MS = 30_000;
/** As many wait for their second look; what comes beyond that has none. */
const MOST = 10_000;
const MOST_TRIES = 10;

export interface SecondLooksHost {
  readonly broker: Pick<Broker, "solitary">;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Waiting {
  look: () => Promise<void>;
  /** It was asked for again since its timer was set. */
  isAsked: boolean;
  timer: Timer | undefined;
}

/**
 * What follows a settlement once looks whether there is something to do, and nobody looks again
 * where it saw too little. So in a cluster it looks once more, half a minute later. Kept in memory:
 * a node that ends takes its second looks along.
 */
export class SecondLooks {
  readonly #host: SecondLooksHost;
  readonly #waiting = new Map<string, Waiting>();
  #isStopped = false;

  constructor(host: SecondLooksHost) {
    this.#host = host;
  }

  /** @param key of those that are one only the last is made, and once in half a minute */
  later(key: string, look: () => Promise<void>): void {
    if (this.#isStopped || this.#host.broker.solitary) return;
    const known = this.#waiting.get(key);
    if (known !== undefined) {
      known.look = look;
      known.isAsked = true;
    } else if (this.#waiting.size < MOST)
      this.#wait(key, { look, isAsked: false, timer: undefined }, 1);
  }

  stop(): void {
    this.#isStopped = true;
    for (const { timer } of this.#waiting.values()) timer?.cancel();
    this.#waiting.clear();
  }

  #wait(key: string, waiting: Waiting, tries: number): void {
    waiting.isAsked = false;
    waiting.timer = this.#host.clock.setTimer(AFTER_MS, () => void this.#look(key, waiting, tries));
    this.#waiting.set(key, waiting);
  }

  async #look(key: string, waiting: Waiting, tries: number): Promise<void> {
    const { isAsked } = waiting;
    let isDone = true;
    try {
      await waiting.look();
    } catch (error) {
      isDone = tries >= MOST_TRIES;
      if (!this.#isStopped)
        this.#host.log.warn(
          { what: key, error: recordError(error) },
          isDone ? "a second look has failed" : "a second look has failed; trying again",
        );
    }
    if (this.#isStopped) return;
    if (!isDone) this.#wait(key, waiting, tries + 1);
    // What was asked for meanwhile may have seen what this look came too early for.
    else if (isAsked || waiting.isAsked) this.#wait(key, waiting, 1);
    else this.#waiting.delete(key);
  }
}
