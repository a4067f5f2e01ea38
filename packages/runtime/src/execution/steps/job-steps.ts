import {
  type JournalEntry,
  MillraceError,
  type Outcome,
  requireStepName,
  StepError,
  type StepCall,
  type StepOptions,
  type StepRef,
  type Steps,
} from "@millrace/core";
import type { OpenStep } from "./telling/answer-order.ts";
import { type CaughtFailures, keptOf } from "./telling/caught-failures.ts";
import { firstRead } from "./reading/first-read.ts";
import { Insistence } from "./insistence.ts";
import { type Call, JobCalls } from "./job-calls.ts";
import { type Ending, interpret } from "../interpret.ts";
import type { JobStepsOptions } from "./job-steps-options.ts";
import { type Known, RunJournal } from "./run-journal.ts";
import { SignalWaits, type Wait } from "./signal-waits.ts";
import { outcomeOfSleep, Sleepers, UnderWay } from "./sleepers.ts";
import { answered, asUnrecorded, fatalOutcome, GONE, isFinal, never } from "./step-failures.ts";
import { StepFunctions } from "./step-function.ts";
import { StepReports } from "./step-reports.ts";
import { shownStep, StepPlaces } from "./step-place.ts";
import { asMismatch, valueOf } from "./step-value.ts";
import { stepsApi } from "./steps-api.ts";
import { ToldSteps } from "./telling/told-steps.ts";

/** A signal that comes while the handler has something else under way is seen after this. */
const LOOK_MS = 2_000;

type Work<T> = (open: OpenStep) => Promise<T>;

/**
 * The steps of one attempt. `#busy` has those whose function or record is waited for; while
 * there are none and the handler waits in a sleep, the attempt is over until then: it ends as a
 * snooze, and its handler is never answered.
 *
 * `open`: takes steps. `ended`: the handler has ended; steps that are under way come to their ends,
 * and no other begins. `over`: so is the attempt; nobody is answered any more.
 */
export class JobSteps {
  readonly api: Steps;
  readonly #options: JobStepsOptions;
  readonly #journal: RunJournal;
  readonly #places = new StepPlaces();
  readonly #sleepers: Sleepers;
  readonly #insistence: Insistence;
  readonly #reports: StepReports;
  readonly #waits: SignalWaits;
  readonly #calls: JobCalls;
  readonly #functions: StepFunctions;
  readonly #told: ToldSteps;
  #state: "open" | "ended" | "over" = "open";
  readonly #busy = new UnderWay(() => this.#sleepers.look());
  readonly #busily = <T>(work: () => Promise<T>): Promise<T> => this.#busy.during(work);
  /** Set once the handler has gone on, or sleeps, after it was told of what ends the attempt. */
  #wished: Outcome | undefined;
  #reading: Promise<void> | undefined;

  constructor(options: JobStepsOptions) {
    this.#options = options;
    const { definition, host, envelope, lease } = options;
    const { id, queue, createdAt, life = 0, attempts } = envelope;
    this.#journal = new RunJournal({
      broker: host.broker,
      run: { id, queue, createdAt },
      ...{ lease, life, attempts },
      version: definition.version,
    });
    this.#insistence = new Insistence(options);
    this.#reports = new StepReports(options);
    this.#sleepers = new Sleepers(host.clock, {
      isIdle: () => this.#busy.isIdle && this.#state === "open",
      allAsleep: (untilMs) => this.#allAsleep(untilMs),
    });
    const journaled = {
      journal: this.#journal,
      insist: <T>(action: () => Promise<T>) => this.#insistence.on(action),
      record: (entry: JournalEntry, replaced: number | undefined, isKept?: boolean) =>
        this.#record(entry, replaced, isKept),
    };
    this.#told = new ToldSteps({
      ...journaled,
      ...{ clock: host.clock, attempts, calls: () => this.#calls },
      isOpen: () => this.#state === "open",
      turn: () => this.#sleepers.turn(),
      busily: (work) => this.#busily(work),
      outOfOrder: () => this.#goToSleep(host.clock.now()),
    });
    this.#waits = new SignalWaits({ ...options, ...journaled });
    const failed: ToldSteps["failed"] = (...failure) => this.#told.failed(...failure);
    this.#calls = new JobCalls({ ...options, ...journaled, failed });
    this.#functions = new StepFunctions({
      ...options,
      asRead: (entry) => this.#orEnd(async () => this.#journal.asRead(entry)),
    });
    this.api = stepsApi(host.clock, {
      run: (name, fn, checks) => this.#begin(name, "run", (open) => this.#run(open, fn, checks)),
      sleep: (name, untilMs) => this.#begin(name, "sleep", (open) => this.#sleep(open, untilMs)),
      wait: (name, untilMs, schema) =>
        this.#begin(name, "wait", (open) => this.#wait(open, untilMs, schema)),
      call: (name, job, input, untilMs) =>
        this.#begin(name, "call", ({ step }) => this.#callJob({ step, job, input, untilMs })),
      version: () => answered(this.#told.aside(() => this.#onceRead(() => this.#journal.version))),
    });
  }

  /** How many were asked for. */
  get count(): number {
    return this.#journal.asked;
  }

  /**
   * The handler has ended: what it left under way is waited for.
   *
   * @returns the outcome in place of a success that the journal gainsays
   */
  async handlerEnded(succeeded: boolean): Promise<Outcome | undefined> {
    await this.#comeToEnds();
    if (this.#wished !== undefined) return this.#wished;
    // A handler that has asked for no step, and before which nobody can have had the job.
    const hasNone = !this.#journal.isRead && !this.#options.mayBeRepeated;
    if (!succeeded || hasNone) return undefined;
    try {
      await this.#read();
      this.#journal.requireAllAsked();
      return undefined;
    } catch (error) {
      return error === GONE ? never() : fatalOutcome(error);
    }
  }

  #comeToEnds(): Promise<void> {
    this.#state = "ended";
    this.#sleepers.clear();
    this.#told.order.release();
    return this.#busy.idle();
  }

  /** Nobody is answered any more. */
  close(): void {
    this.#state = "over";
    this.#sleepers.clear();
    this.#told.order.close();
    this.#insistence.close();
  }

  #begin<T>(name: string, kind: OpenStep["kind"], work: Work<T>): Promise<T> {
    return answered(this.#place(name, kind, work));
  }

  /** The place is taken in the turn of the call: steps are told apart by the order of the calls. */
  async #place<T>(name: string, kind: OpenStep["kind"], work: Work<T>): Promise<T> {
    const step = this.#places.next(requireStepName(name));
    this.#functions.requireOutside(step);
    if (this.#state !== "open") throw GONE;
    const reason = this.#options.abort.look();
    if (reason !== undefined) throw reason;
    if (this.#told.wish === undefined) return this.#told.tell(step, kind, work);
    // Failures that the handler has caught stand, as before any other step.
    await this.#endAs(this.#told.wish, this.#told.caught);
    throw GONE;
  }

  async #endAs(wish: Ending, caught?: CaughtFailures): Promise<void> {
    const { abort, host } = this.#options;
    this.#wished ??= interpret(wish, abort.look(), host.broker.maxDelayMs);
    await this.#busily(async () => caught?.noted()).catch(() => {});
    await this.#comeToEnds();
    this.#end(this.#wished);
  }

  async #run<Result, Output>(
    open: OpenStep,
    fn: (call: StepCall) => Promise<Result> | Result,
    { output }: StepOptions<Output> = {},
  ): Promise<Output> {
    const { step } = open;
    if (typeof fn !== "function")
      throw new MillraceError(
        "invalid-step",
        `The step ${shownStep(step)} needs a function; got ${typeof fn}.`,
      );
    const there = await this.#busily(async () => {
      const known = await this.#find(step, "run");
      if (known !== undefined && this.#journal.stands(known.entry)) return known;
      const replaced = known?.revision;
      return this.#reports.run(step, async () => {
        const result = await this.#functions.call(this.#own(step), fn, output, (error, entry) =>
          this.#told.failed(error, { entry, replaced }),
        );
        return this.#record(result, replaced);
      });
    });
    return (await this.#busily(() => this.#give(open, there, output))) as Output;
  }

  async #sleep(open: OpenStep, untilMs: number): Promise<void> {
    const { step } = open;
    const { entry, revision } = await this.#busily(async () => {
      const known = await this.#find(step, "sleep");
      if (known !== undefined) return known;
      return this.#record({ ...this.#own(step), kind: "sleep", until: untilMs }, undefined);
    });
    if (entry.kind !== "sleep") return;
    open.untilMs = entry.until;
    if (entry.ended === true) return;
    await this.#sleepers.sleep(entry.until);
    await this.#busily(async () => {
      if (await this.#told.order.due(open)) return;
      await this.#record({ ...entry, at: this.#options.host.clock.now(), ended: true }, revision);
    });
  }

  async #wait(open: OpenStep, untilMs: number, schema: Wait["schema"]): Promise<unknown> {
    const unjudged = (): void => void (open.isUnjudged = true);
    const wait: Wait = { step: open.step, untilMs, schema, unjudged };
    this.#waits.begin(wait.step);
    let known = await this.#busily(() => this.#find(wait.step, "wait"));
    for (;;) {
      const { entry, revision } = await this.#busily(() =>
        this.#orEnd(() => this.#waits.look(wait, known)),
      );
      if (entry.state !== "waiting") {
        this.#reports.waited(entry, known?.entry);
        return this.#busily(() => this.#give(open, { entry, revision }, schema));
      }
      await this.#sleepers.sleep(entry.until ?? Infinity, LOOK_MS);
      known = { entry, revision };
    }
  }

  async #callJob(call: Call): Promise<unknown> {
    let known = await this.#busily(() => this.#find(call.step, "call"));
    for (let again = false; ; again = true) {
      const there = await this.#busily(() => this.#calls.look(call, known, again));
      if (there.entry.state !== "calling") {
        this.#reports.waited(there.entry, known?.entry);
        return this.#busily(() => this.#calls.resultOf(there));
      }
      await this.#sleepers.sleep(this.#calls.dueAt(there), LOOK_MS);
      known = there;
    }
  }

  #find(step: StepRef, kind: JournalEntry["kind"]): Promise<Known | undefined> {
    return this.#onceRead(() => {
      const known = this.#journal.ask(step, kind);
      if (known !== undefined) this.#reports.replayed();
      this.#told.found(step, known);
      return known;
    });
  }

  #onceRead<T>(answer: () => T): Promise<T> {
    return this.#orEnd(async () => {
      await this.#told.caught.noted();
      if (this.#state === "over") throw GONE;
      await this.#read();
      return answer();
    });
  }

  #read(): Promise<void> {
    this.#reading ??= firstRead({
      ...this.#options,
      journal: this.#journal,
      insist: (action) => this.#insistence.on(action),
      left: (untilMs) => this.#goToSleep(untilMs),
      ended: () => this.#end(undefined),
    });
    return this.#reading;
  }

  async #give(
    open: OpenStep,
    { entry, revision }: Known,
    output: StepOptions<unknown>["output"],
  ): Promise<unknown> {
    if (entry.kind === "run" && entry.outcome === "failed") {
      const error = new StepError(entry.name, entry.error);
      if (entry.attempts !== undefined) this.#told.failed(error, keptOf(entry, revision));
      throw error;
    }
    try {
      return await valueOf(entry, output);
    } catch (error) {
      if (!MillraceError.is(error, "invalid-output")) open.isUnjudged = true;
      return this.#refuse(asMismatch(error));
    }
  }

  #record(entry: JournalEntry, replaced: number | undefined, isKept = false): Promise<Known> {
    return this.#orEnd(async () => {
      const there = await this.#told.written(() =>
        this.#insistence.on(() => this.#journal.record(entry, replaced)),
      );
      if (!isKept) this.#reports.recorded(there.entry, replaced === undefined);
      return there;
    }, entry);
  }

  /** @param done what is recorded */
  async #orEnd<T>(work: () => Promise<T>, done?: JournalEntry): Promise<T> {
    try {
      return await work();
    } catch (error) {
      return this.#refuse(done === undefined ? error : asUnrecorded(error, done));
    }
  }

  /** What would fail again, with its effects once more, ends the job. */
  #refuse(error: unknown): never {
    if (!isFinal(error)) throw error;
    this.#end(fatalOutcome(error));
    throw GONE;
  }

  /** Nothing is left to do until then, but to note what the handler was told. */
  #allAsleep(untilMs: number): void {
    const { caught, wish } = this.#told;
    const kept = caught.kept();
    const rest = (): unknown => (wish ? this.#endAs(wish) : this.#goToSleep(untilMs));
    if (kept === undefined) return void rest();
    // Once that is done it is looked at anew.
    this.#busily(() => kept).catch(() => this.#state === "open" && rest());
  }

  #goToSleep(untilMs: number): void {
    const { host, envelope, abort } = this.#options;
    this.#journal.leave(envelope);
    this.#end(outcomeOfSleep(host, abort.look(), untilMs));
  }

  #end(outcome: Outcome | undefined): void {
    if (this.#state !== "over") this.#options.listener.end(outcome);
    this.close();
  }

  #own(step: StepRef): StepRef & { readonly at: number; readonly life: number } {
    const { host, envelope } = this.#options;
    return { ...step, at: host.clock.now(), life: envelope.life ?? 0 };
  }
}
