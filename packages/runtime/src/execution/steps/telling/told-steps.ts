import {
  type Clock,
  type JournalEntry,
  OutcomeSignal,
  StepError,
  type StepRef,
} from "@millrace/core";
import { AnswerOrder, type OpenStep } from "./answer-order.ts";
import { type CaughtFailure, CaughtFailures } from "./caught-failures.ts";
import type { JobCalls } from "../job-calls.ts";
import type { Known, RunJournal } from "../run-journal.ts";

export interface ToldStepsOptions {
  readonly clock: Clock;
  /** How many attempts are spent. */
  readonly attempts: number;
  readonly journal: Pick<RunJournal, "rankOf" | "stands">;
  readonly calls: () => Pick<JobCalls, "stands">;
  /** Whether the attempt takes steps yet. */
  readonly isOpen: () => boolean;
  /** Resolves a turn later. */
  readonly turn: () => Promise<void>;
  /** For as long as it takes the attempt is not idle. */
  readonly busily: <T>(work: () => Promise<T>) => Promise<T>;
  /** @param isKept whether it was counted before */
  readonly record: (
    entry: JournalEntry,
    replaced: number | undefined,
    isKept?: boolean,
  ) => Promise<Known>;
  /** What is on record is another order than that in which the handler was told. */
  readonly outOfOrder: () => void;
}

/** What the handler of one attempt is told of its steps, and what of that is on record. */
export class ToldSteps {
  readonly order: AnswerOrder;
  readonly caught: CaughtFailures;
  readonly #options: ToldStepsOptions;
  /** Failures that the handler was not told of yet, by what it is going to be told. */
  readonly #untold = new WeakMap<StepError, CaughtFailure>();
  #asides = 0;
  #wish: { readonly threw: unknown } | undefined;

  constructor(options: ToldStepsOptions) {
    this.#options = options;
    const { journal, record, outOfOrder } = options;
    this.order = new AnswerOrder({ ...options, rankOf: (known) => journal.rankOf(known) });
    this.caught = new CaughtFailures({
      ...options,
      record: async (entry, ...replaced) => {
        const there = await record(entry, ...replaced);
        // Of another holder; what it has on record counts.
        if (!("error" in there.entry)) outOfOrder();
        return there;
      },
    });
  }

  /**
   * The first thing that the handler was told of which ends the attempt once it goes on: `fatal()`
   * and its kin, or what a schema has thrown. Nothing of that is on record, so that in a later run
   * the handler might go another way.
   */
  get wish(): { readonly threw: unknown } | undefined {
    return this.#wish;
  }

  /** Tells the handler what becomes of a step, in turn. */
  async tell<T>(
    step: StepRef,
    kind: OpenStep["kind"],
    work: (open: OpenStep) => Promise<T>,
  ): Promise<T> {
    const { busily } = this.#options;
    const open = this.order.ask(step, kind);
    try {
      const value = await work(open);
      await busily(() => this.order.turn(open));
      return value;
    } catch (error) {
      const isWish = OutcomeSignal.is(error) || open.isUnjudged === true;
      if (!isWish && !StepError.is(error)) throw error;
      await busily(() => this.order.turn(open));
      if (isWish) this.#wish ??= { threw: error };
      else if (StepError.is(error)) this.#note(error, open);
      throw error;
    } finally {
      this.order.drop(open);
    }
  }

  /** What is no step, and is known at once in a later run: of no step is told meanwhile. */
  async aside<T>(work: () => Promise<T>): Promise<T> {
    const open = this.order.ask({ name: "", n: (this.#asides += 1) }, "run");
    try {
      return await this.#options.busily(work);
    } finally {
      this.order.drop(open);
    }
  }

  /** Takes a failure that the handler is going to be told of. */
  failed(error: StepError, failure: CaughtFailure): void {
    this.#untold.set(error, failure);
  }

  /** It is known what is on record of a step. */
  found(step: StepRef, known: Known | undefined): void {
    const isAnswer = known !== undefined && this.#isAnswer(known.entry);
    this.order.found(step, isAnswer ? known : undefined);
  }

  /** Writes a record, which the handler is told of in turn if it is an answer. */
  written(work: () => Promise<Known>): Promise<Known> {
    return this.order.written(work, (entry) => this.#isAnswer(entry));
  }

  #note(error: StepError, { told }: OpenStep): void {
    const failure = this.#untold.get(error);
    if (failure === undefined) return;
    const { entry } = failure;
    this.caught.add(told === undefined ? failure : { ...failure, entry: { ...entry, told } });
  }

  #isAnswer(entry: JournalEntry): boolean {
    const { calls, journal } = this.#options;
    switch (entry.kind) {
      case "run":
        return journal.stands(entry);
      case "sleep":
        return entry.ended === true;
      case "wait":
        return entry.state !== "waiting";
      case "call":
        return entry.state !== "calling" && calls().stands(entry);
      case "child":
        return false;
    }
  }
}
