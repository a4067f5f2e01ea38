import { latencyOf } from "./figures.ts";
import type { Figure } from "./figure.ts";

/**
 * Ten thousand a second where there are many, as the goal has it; else over ten seconds, or fewer
 * where there are few.
 */
const perSecond = (amount: number): number =>
  amount > 50_000 ? 10_000 : Math.max(500, amount / 10);
/** All must wait in their server before the first is due. */
const SETTLING_MS = 3_000;
const FILL_MS_EACH = 0.5;

/** When each job of a run is due, epoch milliseconds. */
export interface DelayPlan {
  readonly start: number;
  readonly dueAt: (index: number) => number;
}

export function delayPlan(amount: number): DelayPlan {
  const start = Date.now() + SETTLING_MS + Math.ceil(amount * FILL_MS_EACH);
  const rate = perSecond(amount);
  return { start, dueAt: (index) => start + Math.floor((index * 1_000) / rate) };
}

/** Keeps how late each came, and resolves when all have come. */
export class Lateness {
  readonly #plan: DelayPlan;
  readonly #late: Float64Array;
  readonly #all = Promise.withResolvers<void>();
  #left: number;

  constructor(plan: DelayPlan, amount: number) {
    this.#plan = plan;
    this.#late = new Float64Array(amount).fill(Number.NaN);
    this.#left = amount;
  }

  came(n: number): void {
    if (!Number.isNaN(this.#late[n])) return;
    this.#late[n] = Date.now() - this.#plan.dueAt(n);
    if (--this.#left === 0) this.#all.resolve();
  }

  get all(): Promise<void> {
    return this.#all.promise;
  }

  figure(): Figure {
    return latenessOf(this.#late);
  }
}

/** @throws where one came before its time. */
export function latenessOf(late: Float64Array): Figure {
  const earliest = late.toSorted()[0] ?? 0;
  if (earliest < 0) throw new Error(`a job came ${-earliest} ms early`);
  return latencyOf(late);
}
