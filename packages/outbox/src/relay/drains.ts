import type { Clock } from "@millrace/core";

/** So long a round waits for work that gets on with nothing. It is left to end by itself then. */
const PATIENCE_MS = 500;

interface UnderWay {
  /** Never rejects. */
  ended: Promise<void>;
  steps: number;
  /** Of the last step; `Clock.monotonic()`. */
  steppedAt: number;
  /** No round waits for it any more. */
  isLeft: boolean;
  /** Somebody asked for the queue meanwhile: there may be rows that it has not seen. */
  isAskedFor: boolean;
}

/** @returns how many rows it moved */
export type Drain = (onStep: () => void) => Promise<number>;

/**
 * The work on queues, one at a time for each. What takes long is left to go on beside the rounds
 * that follow, so that no other queue waits for it.
 */
export class Drains {
  readonly #clock: Clock;
  readonly #onLate: () => void;
  readonly #underWay = new Map<string, UnderWay>();
  /** Since the last round. */
  #moved = 0;
  /** The first since the last round. */
  #failure: { readonly error: unknown } | undefined;

  /** @param onLate told that work has ended for which no round waits, and that one is needed */
  constructor(clock: Clock, onLate: () => void) {
    this.#clock = clock;
    this.#onLate = onLate;
  }

  /** Does nothing where work on the queue is under way. */
  begin(queue: string, drain: Drain): void {
    const known = this.#underWay.get(queue);
    if (known !== undefined) {
      known.isAskedFor = true;
      return;
    }
    const work: UnderWay = {
      ...{ ended: Promise.resolve(), steps: 0, steppedAt: this.#clock.monotonic() },
      ...{ isLeft: false, isAskedFor: false },
    };
    this.#underWay.set(queue, work);
    work.ended = this.#run(queue, work, drain);
  }

  /**
   * Waits for what was begun, as long as it gets on.
   *
   * @returns how many rows were moved since the last call
   * @throws what work failed with since then
   */
  async round(): Promise<number> {
    for (;;) {
      const waited = [...this.#underWay.values()].filter(({ isLeft }) => !isLeft);
      if (waited.length === 0) break;
      const steps = waited.map((work) => work.steps);
      await this.#atMost(PATIENCE_MS, Promise.all(waited.map(({ ended }) => ended)));
      for (const [place, work] of waited.entries()) work.isLeft = work.steps === steps[place];
    }
    const [moved, failure] = [this.#moved, this.#failure];
    this.#moved = 0;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
    return moved;
  }

  /** Waits for all of it, however long it takes. */
  async ended(): Promise<void> {
    await Promise.all([...this.#underWay.values()].map(({ ended }) => ended));
  }

  /** Queues on which work has got on with nothing for so long. */
  stuck(ms: number): readonly { readonly queue: string; readonly forMs: number }[] {
    const now = this.#clock.monotonic();
    return [...this.#underWay]
      .map(([queue, { steppedAt }]) => ({ queue, forMs: now - steppedAt }))
      .filter(({ forMs }) => forMs >= ms);
  }

  async #run(queue: string, work: UnderWay, drain: Drain): Promise<void> {
    let needsRound = false;
    try {
      const moved = await drain(() => {
        work.steps += 1;
        work.steppedAt = this.#clock.monotonic();
      });
      this.#moved += moved;
      needsRound = moved > 0 || work.isAskedFor;
    } catch (error) {
      this.#failure ??= { error };
      needsRound = true;
    }
    this.#underWay.delete(queue);
    if (work.isLeft && needsRound) this.#onLate();
  }

  async #atMost(ms: number, work: Promise<unknown>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.setTimer(ms, resolve);
    await Promise.race([work, promise]);
    timer.cancel();
  }
}
