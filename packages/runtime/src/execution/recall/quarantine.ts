/** Jobs that were sent away come back one after another, not all at once. */
const SPACING_MS = 250;
const LONGEST_AWAY_MS = 60_000;

/**
 * Keeps a node's suspects apart: jobs that one more crash would make dead letters. A crash counts
 * against every job that was in the process, and they all come back when their leases end, which is
 * at the same time; so the one that crashes its process would take the others along three times and
 * bury them with it. Here one suspect runs at a time, and the others are sent away before it
 * begins.
 */
export class Quarantine {
  /** Redelivered, and not known yet what becomes of them: still in danger. */
  readonly #undecided = new Set<object>();
  #inTurn: { readonly job: object; start: (() => void) | undefined } | undefined;
  #sentAway = 0;

  /** A job that has outlived a holder has come. */
  arrived(job: object): void {
    this.#undecided.add(job);
  }

  /** It runs like any other. */
  cleared(job: object): void {
    this.#undecided.delete(job);
    this.#startWhenAlone();
  }

  /**
   * Asks for the turn.
   *
   * @param start called when the turn has come and every other one that was in danger is decided;
   *   at once where there is none
   * @returns undefined where the job is to wait for `start`; else how long it must stay away,
   *   milliseconds
   */
  ask(job: object, start: () => void): number | undefined {
    if (this.#inTurn !== undefined) {
      this.#sentAway += 1;
      return Math.min(LONGEST_AWAY_MS, this.#sentAway * SPACING_MS);
    }
    this.#inTurn = { job, start };
    this.cleared(job);
    return undefined;
  }

  /** Nothing of it is left to do. */
  left(job: object): void {
    if (this.#inTurn?.job === job) {
      this.#inTurn = undefined;
      this.#sentAway = 0;
    }
    if (this.#undecided.delete(job)) this.#startWhenAlone();
  }

  #startWhenAlone(): void {
    const start = this.#inTurn?.start;
    if (this.#inTurn === undefined || start === undefined || this.#undecided.size > 0) return;
    this.#inTurn.start = undefined;
    start();
  }
}

/** One more crash would make it a dead letter. */
export function isSuspect(crashes: number, poisonAfter: number): boolean {
  return crashes > 0 && crashes >= poisonAfter - 1;
}
