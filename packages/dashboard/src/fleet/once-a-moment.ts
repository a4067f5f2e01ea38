import type { Clock } from "@millrace/core";

/** What takes long is asked so many times more rarely than it takes. */
const RARELY = 10;
/** What took long because the server stood still must not be shown for minutes after. */
const MOST_MS = 30_000;

interface Known {
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

  ask<Answer>(question: string, ask: () => Promise<Answer>): Promise<Answer> {
    const askedAt = this.#clock.monotonic();
    for (const [old, { until }] of this.#known)
      if (until !== undefined && until <= askedAt) this.#known.delete(old);
    const kept = this.#known.get(question);
    if (kept !== undefined) return kept.answer as Promise<Answer>;
    const answer = ask();
    const known: Known = { until: undefined, answer };
    this.#known.set(question, known);
    answer.then(
      () => {
        const now = this.#clock.monotonic();
        const restMs = Math.min((now - askedAt) * RARELY, MOST_MS);
        known.until = now + Math.max(this.#momentMs, restMs);
      },
      // What failed is asked again by the next one.
      () => {
        if (this.#known.get(question) === known) this.#known.delete(question);
      },
    );
    return answer;
  }

  /** After a change or an outage: what was known may be over, and what is asked just now, too. */
  forget(): void {
    this.#known.clear();
  }
}
