import { type Envelope, isHopeless } from "@millrace/core";
import type { AbortSwitch } from "../attempt/abort-switch.ts";
import type { ExecutionHost } from "../execution-host.ts";
import { Pause } from "../pause.ts";
import { reportTrouble } from "../report.ts";
import { GONE, isFinal } from "./step-failures.ts";

export interface InsistenceOptions {
  readonly host: ExecutionHost;
  readonly envelope: Envelope;
  readonly abort: AbortSwitch;
}

/**
 * Asks the broker until it answers: a step whose effect is done must come to its record through an
 * outage. As long as the lease is held and the attempt goes on.
 */
export class Insistence {
  readonly #options: InsistenceOptions;
  readonly #pauses = new Set<Pause>();
  #closed = false;

  constructor(options: InsistenceOptions) {
    this.#options = options;
  }

  /** @throws what asking again can't mend; GONE once nobody waits for it any more */
  async on<T>(action: () => Promise<T>): Promise<T> {
    const { host, envelope, abort } = this.#options;
    for (let tries = 0; ; tries += 1) {
      try {
        return await action();
      } catch (error) {
        if (isFinal(error) || isHopeless(error)) throw error;
        reportTrouble(host, envelope, error, undefined);
      }
      const reason = abort.look();
      if (reason?.code === "lease-lost") throw reason;
      await this.#rest(tries);
      if (this.#closed) throw GONE;
    }
  }

  close(): void {
    this.#closed = true;
    for (const pause of this.#pauses) pause.cutShort();
  }

  async #rest(tries: number): Promise<void> {
    if (this.#closed) return;
    const pause = new Pause(this.#options.host.clock);
    this.#pauses.add(pause);
    await pause.wait(tries);
    this.#pauses.delete(pause);
  }
}
