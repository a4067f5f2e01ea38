import type { Clock } from "@millrace/core";

/**
 * Answers the same question once for everybody who asks within a moment: the server is asked as
 * often with ten pages open as with one.
 */
export class OnceAMoment {
  readonly #clock: Clock;
  readonly #momentMs: number;
  readonly #kept = new Map<string, { readonly until: number; readonly answer: Promise<unknown> }>();

  constructor(clock: Clock, momentMs: number) {
    this.#clock = clock;
    this.#momentMs = momentMs;
  }

  ask<Answer>(question: string, ask: () => Promise<Answer>): Promise<Answer> {
    const now = this.#clock.monotonic();
    const kept = this.#kept.get(question);
    if (kept !== undefined && now < kept.until) return kept.answer as Promise<Answer>;
    for (const [old, { until }] of this.#kept) if (until <= now) this.#kept.delete(old);
    const answer = ask();
    this.#kept.set(question, { until: now + this.#momentMs, answer });
    // What failed is asked again by the next one.
    answer.catch(() => this.#kept.delete(question));
    return answer;
  }

  /** After a change: what was known may be over. */
  forget(): void {
    this.#kept.clear();
  }
}
