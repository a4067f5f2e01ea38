import { type Logger, type Outcome, recordError, type Settlement } from "@millrace/core";
import type { Entrant, Limit, EnteredLimit } from "./limit.ts";

/** The limits that one execution has entered, until it leaves them. */
export class EnteredLimits {
  readonly #log: Logger;
  readonly #onLost: () => void;
  readonly #held: EnteredLimit[] = [];
  #afterwards: (() => Promise<void>) | undefined;
  #left = false;

  constructor(log: Logger, onLost: () => void) {
    this.#log = log;
    this.#onLost = onLost;
  }

  /** The token of the limit that was passed last and has one. */
  get token(): number | undefined {
    return this.#held.findLast(({ token }) => token !== undefined)?.token;
  }

  /** Where others are blocked because of what is held. */
  get gates(): readonly string[] {
    return this.#left ? [] : this.#held.flatMap(({ gate }) => gate ?? []);
  }

  /** @returns the outcome under which the job is settled instead, where it may not pass */
  async enter(limit: Limit, entrant: Entrant): Promise<Outcome | undefined> {
    const entry = await limit.enter(entrant);
    if ("refusal" in entry) {
      this.#afterwards = entry.afterwards;
      return entry.refusal;
    }
    const { entered } = entry;
    if (entered === undefined) return undefined;
    // The execution ended while the limit was deciding.
    if (this.#left) await this.#quietly(() => entered.leave(undefined));
    else {
      this.#held.push(entered);
      entered.onLost?.(this.#onLost);
    }
    return undefined;
  }

  /**
   * Leaves them in the opposite order. Idempotent; never rejects.
   *
   * @returns undefined where there is nothing to give back
   */
  leave(settlement: Settlement | undefined): Promise<void> | undefined {
    if (this.#left) return undefined;
    this.#left = true;
    return this.#held.length === 0 && this.#afterwards === undefined
      ? undefined
      : this.#leaveAll(settlement);
  }

  async #leaveAll(settlement: Settlement | undefined): Promise<void> {
    const afterwards = this.#afterwards;
    if (afterwards !== undefined && settlement !== undefined && settlement.state !== "abandoned")
      await this.#quietly(afterwards);
    for (const entered of this.#held.toReversed())
      await this.#quietly(() => entered.leave(settlement));
  }

  async #quietly(leave: () => Promise<void>): Promise<void> {
    try {
      await leave();
    } catch (error) {
      this.#log.warn({ error: recordError(error) }, "a limit could not be left as it should");
    }
  }
}
