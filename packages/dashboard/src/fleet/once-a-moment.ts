import type { Clock, Timer } from "@millrace/core";

/** However many pages are open, the server is asked the same thing once in so long. */
export const MOMENT_MS = 1_000;
/** What takes long is asked so many times more rarely than it takes. */
const RARELY = 10;
/** What took long because the server stood still must not be shown for minutes after. */
const MOST_MS = 30_000;
/** Answers that are kept. Whoever asks for as many others must not fill the memory with them. */
const MOST_KEPT = 500;

/**
 * So long an answer is sought that nobody waits for any more: a page asks anew at once when it
 * hears that something has happened, and lets go of what it had asked.
 */
const LEFT_MS = 2_000;

interface Known {
  /** So many wait for the answer. */
  waiting: number;
  /** Since all of them have left. */
  givingUp: Timer | undefined;
  /** Aborted where all of them have left. */
  readonly left: AbortController;
  /** Asked for anew from then on; undefined while the answer is awaited. */
  until: number | undefined;
  readonly answer: Promise<unknown>;
}

/**
 * Answers the same question once for everybody who asks within a moment: the server is asked as
 * often with ten pages open as with one.
 */
export class OnceAMoment {
  readonly #clock: Clock;
  readonly #momentMs: number;
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock, momentMs: number) {
    this.#clock = clock;
    this.#momentMs = momentMs;
  }

  /**
   * @param ask its signal is aborted where all have left who wait for the answer
   * @param leaves of who asks, where that can leave
   */
  ask<Answer>(
    question: string,
    ask: (left: AbortSignal) => Promise<Answer>,
    leaves?: AbortSignal,
  ): Promise<Answer> {
    const known = this.#knownOf(question, ask);
    this.#waitFor(question, known, leaves);
    return known.answer as Promise<Answer>;
  }

  #knownOf(question: string, ask: (left: AbortSignal) => Promise<unknown>): Known {
    const askedAt = this.#clock.monotonic();
    for (const [old, { until }] of this.#known)
      if (until !== undefined && until <= askedAt) this.#known.delete(old);
    const kept = this.#known.get(question);
    if (kept !== undefined) return kept;
    const left = new AbortController();
    const answer = ask(left.signal);
    const known: Known = { waiting: 0, givingUp: undefined, left, until: undefined, answer };
    this.#known.set(question, known);
    answer.then(
      () => {
        known.givingUp?.cancel();
        const now = this.#clock.monotonic();
        const restMs = Math.min((now - askedAt) * RARELY, MOST_MS);
        known.until = now + Math.max(this.#momentMs, restMs);
        this.#drop();
      },
      // What failed is asked again by the next one.
      () => {
        known.givingUp?.cancel();
        if (this.#known.get(question) === known) this.#known.delete(question);
      },
    );
    return known;
  }

  /** Of more answers than are kept, those to what was asked first. */
  #drop(): void {
    let over = this.#known.size - MOST_KEPT;
    for (const [question, { until }] of this.#known) {
      if (over <= 0) return;
      if (until === undefined) continue;
      this.#known.delete(question);
      over -= 1;
    }
  }

  #waitFor(question: string, known: Known, leaves: AbortSignal | undefined): void {
    known.waiting += 1;
    known.givingUp?.cancel();
    const leave = (): void => {
      known.waiting -= 1;
      if (known.waiting > 0 || known.until !== undefined) return;
      known.givingUp?.cancel();
      known.givingUp = this.#clock.setTimer(LEFT_MS, () => {
        if (known.waiting > 0 || known.until !== undefined) return;
        // Who asks from now on is not told of an answer that nobody waited for.
        if (this.#known.get(question) === known) this.#known.delete(question);
        known.left.abort(leaves?.reason);
      });
    };
    if (leaves?.aborted === true) leave();
    else leaves?.addEventListener("abort", leave, { once: true });
  }

  /** After a change or an outage: what was known may be over, and what is asked just now, too. */
  forget(): void {
    this.#known.clear();
  }
}
