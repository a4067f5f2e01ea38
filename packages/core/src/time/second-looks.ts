import type { Broker } from "../broker/broker.ts";
import type { Clock, Timer } from "./clock.ts";

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
  /** A look has failed. `isLast`: it is not tried again. */
  readonly onFailed: (
    error: unknown,
    look: { readonly key: string; readonly isLast: boolean },
  ) => void;
}

interface Waiting {
  look: () => Promise<void>;
  /** It was asked for again since its timer was set. */
  isAsked: boolean;
  timer: Timer | undefined;
}

/**
 * What follows a settlement, or a signal, once looks whether there is something to do, and nobody
 * looks again where it saw too little. So in a cluster it looks once more, half a minute later.
 * Kept in memory: a node that ends takes its second looks along.
 */
export class SecondLooks {
  readonly #host: SecondLooksHost;
  readonly #waiting = new Map<string, Waiting>();
  readonly #underWay = new Set<Promise<void>>();
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

  /** Makes no more of them. @returns once those under way are over */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const { timer } of this.#waiting.values()) timer?.cancel();
    this.#waiting.clear();
    await Promise.all(this.#underWay);
  }

  #wait(key: string, waiting: Waiting, tries: number): void {
    waiting.isAsked = false;
    waiting.timer = this.#host.clock.setTimer(AFTER_MS, () => {
      const look = this.#look(key, waiting, tries).finally(() => this.#underWay.delete(look));
      this.#underWay.add(look);
    });
    this.#waiting.set(key, waiting);
  }

  async #look(key: string, waiting: Waiting, tries: number): Promise<void> {
    const { isAsked } = waiting;
    let isDone = true;
    try {
      await waiting.look();
    } catch (error) {
      isDone = tries >= MOST_TRIES;
      if (!this.#isStopped) this.#host.onFailed(error, { key, isLast: isDone });
    }
    if (this.#isStopped) return;
    if (!isDone) this.#wait(key, waiting, tries + 1);
    // What was asked for meanwhile may have seen what this look came too early for.
    else if (isAsked || waiting.isAsked) this.#wait(key, waiting, 1);
    else this.#waiting.delete(key);
  }
}
