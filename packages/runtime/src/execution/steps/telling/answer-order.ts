import type { Clock, JournalEntry, StepRef, Timer, ToldAt } from "@millrace/core";
import type { Known } from "../run-journal.ts";
import { isBefore, placeOf, type Rank } from "../step-place.ts";

/** Told after everything that is on record. */
export const LAST: Rank = { revision: Infinity, nth: 0 };

/** A step that the handler has asked for, and was not told of yet. */
export interface OpenStep {
  readonly step: StepRef;
  readonly kind: "run" | "sleep" | "wait" | "call";
  /** Whether it is known what is on record of it. */
  isFound: boolean;
  /** Of its answer, once that is on record. */
  rank?: Rank;
  /** How many writes were begun when its answer came on record: one of them may stand before it. */
  begun: number;
  /** Of a sleep. */
  untilMs?: number;
  /** Its schema has thrown, which says nothing of what was there: another attempt asks anew. */
  isUnjudged?: true;
  /** Of a failure that is not on record: when the handler was told of it. */
  told?: ToldAt;
  /** Its handler can be told. False: a sleep whose end has to be on record before. */
  answer?: (isTold: boolean) => void;
}

export interface AnswerOrderOptions {
  readonly clock: Clock;
  readonly rankOf: (known: Known) => Rank;
  /** What came on record stands before what the handler was told of: by another holder. */
  readonly outOfOrder: () => void;
}

/**
 * Gives the handler its answers in one order in each run, and each in a turn of its own: so a race
 * of steps is decided as it was, and branches go on in the order in which they did.
 *
 * That order is the journal's own, because an answer is given only once it is on record. Two have
 * no record of their own. A failure says in its record after which answer it was told. The end of a
 * sleep is on record where steps of other kinds are open. Where nothing but sleeps is, the one that
 * ends first is first, in every run.
 */
export class AnswerOrder {
  readonly #options: AnswerOrderOptions;
  readonly #open = new Map<string, OpenStep>();
  /** Writes that are under way, by their numbers. */
  readonly #writing = new Set<number>();
  #begun = 0;
  #last: Rank & { readonly after?: StepRef } = { revision: 0, nth: 0 };
  #looking: Timer | undefined;
  #state: "open" | "released" | "closed" = "open";

  constructor(options: AnswerOrderOptions) {
    this.#options = options;
  }

  /** In the turn of the call. */
  ask(step: StepRef, kind: OpenStep["kind"]): OpenStep {
    const open: OpenStep = { step, kind, isFound: false, begun: 0 };
    this.#open.set(placeOf(step), open);
    return open;
  }

  /** @param answer what is on record of it, if that is its answer */
  found(step: StepRef, answer: Known | undefined): void {
    const open = this.#open.get(placeOf(step));
    if (open === undefined) return;
    open.isFound = true;
    if (answer !== undefined) open.rank = this.#options.rankOf(answer);
    this.#look();
  }

  /** Writes a record; it is told of in turn if it is an answer. */
  async written(
    work: () => Promise<Known>,
    isAnswer: (entry: JournalEntry) => boolean,
  ): Promise<Known> {
    const number = (this.#begun += 1);
    this.#writing.add(number);
    try {
      const known = await work();
      const open = this.#open.get(placeOf(known.entry));
      if (open !== undefined && isAnswer(known.entry)) this.#rank(open, known);
      return known;
    } finally {
      this.#writing.delete(number);
      this.#look();
    }
  }

  /** Resolves when the handler may be told. */
  async turn(open: OpenStep): Promise<void> {
    open.rank ??= LAST;
    await this.#answered(open);
  }

  /**
   * A sleep is over.
   *
   * @returns whether the handler may be told; its end has to come on record before otherwise
   */
  due(open: OpenStep): Promise<boolean> {
    return this.#answered(open);
  }

  /** Nobody waits for it any more. */
  drop({ step }: OpenStep): void {
    if (this.#open.delete(placeOf(step))) this.#look();
  }

  /** The handler has ended: the order is nothing to anybody. */
  release(): void {
    this.#state = "released";
    for (const { answer } of this.#open.values()) answer?.(true);
  }

  /** Nobody is told any more. */
  close(): void {
    this.#state = "closed";
    this.#looking?.cancel();
  }

  #answered(open: OpenStep): Promise<boolean> {
    const isTold = !this.#open.has(placeOf(open.step));
    if (isTold || this.#state === "released") return Promise.resolve(true);
    return new Promise((resolve) => {
      open.answer = resolve;
      this.#look();
    });
  }

  #rank(open: OpenStep, known: Known): void {
    open.rank = this.#options.rankOf(known);
    open.begun = this.#begun;
    if (isBefore(open.rank, this.#last)) this.#options.outOfOrder();
  }

  /** A turn later, when all that the last answer has brought about was asked for. */
  #look(): void {
    if (this.#looking !== undefined || this.#state !== "open") return;
    if (![...this.#open.values()].some(({ answer }) => answer !== undefined)) return;
    this.#looking = this.#options.clock.setTimer(0, () => {
      this.#looking = undefined;
      if (this.#state === "open") this.#tell();
    });
  }

  #tell(): void {
    const all = [...this.#open.values()];
    if (all.some(({ isFound }) => !isFound)) return;
    const onlySleeps = all.every(({ kind }) => kind === "sleep");
    const next = onlySleeps ? first(all, endsBefore) : first(all.filter(isRanked), ranksBefore);
    if (next !== undefined) {
      const { answer } = next;
      if (answer === undefined || this.#mayStandBehind(next)) return;
      this.#open.delete(placeOf(next.step));
      this.#note(next);
      answer(true);
      this.#look();
      return;
    }
    const due = first(
      all.filter(({ kind, answer }) => kind === "sleep" && answer !== undefined),
      endsBefore,
    );
    const record = due?.answer;
    delete due?.answer;
    record?.(false);
  }

  #mayStandBehind({ rank, begun }: OpenStep): boolean {
    return rank !== undefined && [...this.#writing].some((number) => number <= begun);
  }

  #note(told: OpenStep): void {
    const { step, rank } = told;
    const { after, nth } = this.#last;
    if (rank === LAST) {
      this.#last = { ...this.#last, nth: nth + 1 };
      if (this.#open.size > 0)
        told.told = { ...(after === undefined ? {} : { after }), nth: nth + 1 };
    } else if (rank !== undefined && isBefore(this.#last, rank))
      this.#last = { ...this.#last, ...rank, ...(rank.nth === 0 ? { after: step } : {}) };
  }
}

function first(
  all: readonly OpenStep[],
  isBeforeOther: (one: OpenStep, other: OpenStep) => boolean,
): OpenStep | undefined {
  let found: OpenStep | undefined;
  for (const one of all) if (found === undefined || isBeforeOther(one, found)) found = one;
  return found;
}

/** One whose end is not on record yet may end before every other. */
function endsBefore(one: OpenStep, other: OpenStep): boolean {
  return (one.untilMs ?? -Infinity) < (other.untilMs ?? -Infinity);
}

function ranksBefore({ rank: one }: OpenStep, { rank: other }: OpenStep): boolean {
  return one !== undefined && other !== undefined && isBefore(one, other);
}

function isRanked({ rank }: OpenStep): boolean {
  return rank !== undefined;
}
