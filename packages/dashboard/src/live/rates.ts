import type { HistoryRecord } from "@millrace/core";
import type { RateView } from "../api/views/views.ts";

const STEP_MS = 5_000;
/** A quarter of an hour. */
const STEPS = 180;

type Step = { -readonly [Key in keyof RateView]: RateView[Key] };

/** How attempts ended, in steps of five seconds. Bounded, whatever happens. */
export class Rates {
  #steps: Step[] = [];

  count({ state, outcome }: Pick<HistoryRecord, "state" | "outcome">, now: number): void {
    const step = this.#stepAt(now);
    if (state === "succeeded") step.succeeded += 1;
    else if (state === "dead") step.dead += 1;
    else if (outcome === "failed" || outcome === "timed-out") step.failed += 1;
  }

  /** Up to the step that has just ended; empty ones too. */
  list(now: number): readonly RateView[] {
    const last = this.#stepAt(now).at;
    return this.#steps.filter(({ at }) => at < last).map((step) => ({ ...step }));
  }

  #stepAt(now: number): Step {
    const at = Math.ceil((now + 1) / STEP_MS) * STEP_MS;
    let last = this.#steps.at(-1);
    // After a long pause, or where the clock was set, it begins anew.
    if (last !== undefined && (at < last.at || at - last.at > STEP_MS * STEPS)) {
      this.#steps = [];
      last = undefined;
    }
    for (let next = last === undefined ? at : last.at + STEP_MS; next <= at; next += STEP_MS)
      this.#steps.push({ at: next, succeeded: 0, failed: 0, dead: 0 });
    this.#steps = this.#steps.slice(-STEPS);
    return this.#steps.at(-1) as Step;
  }
}
