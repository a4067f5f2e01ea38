import type { JobInHand } from "./job-in-hand.ts";
import { Pause } from "./pause.ts";
import { reportTrouble } from "./report.ts";

/** What an admission waits for. One way only; all but the first and the last may be left out. */
export type Stage = "looking" | "recalling" | "parking" | "entering" | "quarantined" | "over";

export interface StageOwner {
  /** The lease is gone while something is asked. */
  leaseWasLost(): void;
}

/**
 * Where an admission is, and what it asks the broker there. What comes from outside ends a stage; a
 * step that was under way in it then finds that nobody waits for its answer any more.
 */
export class AdmissionStage {
  readonly #of: JobInHand;
  readonly #owner: StageOwner;
  #now: Stage = "looking";
  #pause: Pause | undefined;

  constructor(of: JobInHand, owner: StageOwner) {
    this.#of = of;
    this.#owner = owner;
  }

  get now(): Stage {
    return this.#now;
  }

  get isAdmitted(): boolean {
    const now = this.#now;
    return now === "parking" || now === "entering" || now === "quarantined";
  }

  /**
   * The next step, unless it was ended from outside: a step hears of that some turns later, and
   * must take nothing more then.
   */
  enter(stage: Exclude<Stage, "looking" | "over">): boolean {
    if (this.#now === "over") return false;
    this.#now = stage;
    return true;
  }

  /** Nothing is waited for any more. */
  end(): void {
    this.#now = "over";
    this.#pause?.cutShort();
  }

  /**
   * Asks the broker until it answers.
   * @returns undefined where nothing is waited for any more; without a lease the job is settled
   *   then
   */
  async ask<T>(question: () => Promise<T>): Promise<{ readonly answer: T } | undefined> {
    const { host, delivery, envelope } = this.#of;
    const stage = this.#now;
    for (let tries = 0; stage !== "over" && this.#now === stage; tries += 1) {
      try {
        const answer = await question();
        return this.#now === stage ? { answer } : undefined;
      } catch (error) {
        reportTrouble(host, envelope, error, undefined);
        if (this.#now === stage && delivery.lease.isHeld()) await this.rest(tries);
        if (this.#now === stage && !delivery.lease.isHeld()) this.#owner.leaseWasLost();
      }
    }
    return undefined;
  }

  /** @param tries how often it was tried before, from 0 */
  rest(tries: number): Promise<void> {
    this.#pause ??= new Pause(this.#of.host.clock);
    return this.#pause.wait(tries);
  }
}
