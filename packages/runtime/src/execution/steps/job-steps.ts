import { AsyncLocalStorage } from "node:async_hooks";
import {
  firstMessageOf,
  type JournalEntry,
  MillraceError,
  type Outcome,
  OutcomeSignal,
  recordFailure,
  requireStepName,
  StepError,
  type StepCall,
  type StepOptions,
  type StepRef,
  type Steps,
} from "@millrace/core";
import { maskRecorded } from "../settle/mask-outcome.ts";
import { CaughtFailures } from "./caught-failures.ts";
import { Insistence } from "./insistence.ts";
import { type Call, JobCalls } from "./job-calls.ts";
import type { JobStepsOptions } from "./job-steps-options.ts";
import { type Known, RunJournal } from "./run-journal.ts";
import { SignalWaits, type Wait } from "./signal-waits.ts";
import { leftUntil } from "./other-versions.ts";
import { outcomeOfSleep, Sleepers } from "./sleepers.ts";
import { answered, fatalOutcome, GONE, isFinal, never } from "./step-failures.ts";
import { StepReports } from "./step-reports.ts";
import { keyOf, shownStep, StepPlaces } from "./step-place.ts";
import { asMismatch, asRead, valueOf } from "./step-value.ts";
import { stepsApi } from "./steps-api.ts";

/** A signal that comes while the handler has something else under way is seen after this. */
const LOOK_MS = 2_000;

/** The function of a step can't have steps of its own. */
const inside = new AsyncLocalStorage<JobSteps>();

/**
 * The steps of one attempt. `#busy` counts those whose function or record is waited for; while
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
  #state: "open" | "ended" | "over" = "open";
  #busy = 0;
  #onIdle: (() => void) | undefined;
  readonly #caught: CaughtFailures;
  #reading: Promise<void> | undefined;

  constructor(options: JobStepsOptions) {
    this.#options = options;
    const { definition, host, envelope, lease } = options;
    const { id, queue, createdAt, life = 0 } = envelope;
    this.#journal = new RunJournal({
      broker: host.broker,
      run: { id, queue, createdAt },
      lease,
      life,
      version: definition.version,
    });
    this.#insistence = new Insistence(options);
    this.#reports = new StepReports(options);
    this.#sleepers = new Sleepers(host.clock, {
      isIdle: () => this.#busy === 0 && this.#state === "open",
      allAsleep: (untilMs) => this.#goToSleep(untilMs),
    });
    const journaled = {
      journal: this.#journal,
      insist: <T>(action: () => Promise<T>) => this.#insistence.on(action),
      record: (entry: JournalEntry, replaced: number | undefined) => this.#record(entry, replaced),
    };
    this.#caught = new CaughtFailures({
      isOpen: () => this.#state === "open",
      turn: () => this.#sleepers.turn(),
      record: journaled.record,
    });
    this.#waits = new SignalWaits({ ...options, ...journaled });
    const failed: CaughtFailures["add"] = (failure) => this.#caught.add(failure);
    this.#calls = new JobCalls({ ...options, ...journaled, failed });
    this.api = stepsApi(host.clock, {
      run: (name, fn, checks) => this.#begin(name, (step) => this.#run(step, fn, checks)),
      sleep: (name, untilMs) => this.#begin(name, (step) => this.#sleep(step, untilMs)),
      wait: (name, untilMs, schema) =>
        this.#begin(name, (step) => this.#wait({ step, untilMs, schema })),
      call: (name, job, input, untilMs) =>
        this.#begin(name, (step) => this.#callJob({ step, job, input, untilMs })),
      version: () => answered(this.#busily(() => this.#onceRead(() => this.#journal.version))),
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
    this.#state = "ended";
    this.#sleepers.clear();
    if (this.#busy > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
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

  /** Nobody is answered any more. */
  close(): void {
    this.#state = "over";
    this.#sleepers.clear();
    this.#insistence.close();
  }

  #begin<T>(name: string, work: (step: StepRef) => Promise<T>): Promise<T> {
    return answered(this.#place(name, work));
  }

  /** The place is taken in the turn of the call: steps are told apart by the order of the calls. */
  async #place<T>(name: string, work: (step: StepRef) => Promise<T>): Promise<T> {
    const step = this.#places.next(requireStepName(name));
    if (inside.getStore() === this)
      throw new MillraceError(
        "invalid-step",
        `The step ${shownStep(step)} is asked for in another step's function. Ask for it in the handler.`,
      );
    if (this.#state !== "open") throw GONE;
    const reason = this.#options.abort.look();
    if (reason !== undefined) throw reason;
    return work(step);
  }

  async #run<Result, Output>(
    step: StepRef,
    fn: (call: StepCall) => Promise<Result> | Result,
    { output }: StepOptions<Output> = {},
  ): Promise<Output> {
    if (typeof fn !== "function")
      throw new MillraceError(
        "invalid-step",
        `The step ${shownStep(step)} needs a function; got ${typeof fn}.`,
      );
    const entry = await this.#busily(async () => {
      const known = await this.#find(step, "run");
      if (known !== undefined && this.#journal.stands(known.entry)) return known.entry;
      return this.#reports.run(step, async () => {
        const result = await this.#call(step, fn, output, known?.revision);
        return (await this.#record(result, known?.revision)).entry;
      });
    });
    return (await this.#busily(() => this.#give(entry, output))) as Output;
  }

  async #sleep(step: StepRef, untilMs: number): Promise<void> {
    const entry = await this.#busily(async () => {
      const known = await this.#find(step, "sleep");
      if (known !== undefined) return known.entry;
      const sleep = { ...this.#own(step), kind: "sleep", until: untilMs } as const;
      return (await this.#record(sleep, undefined)).entry;
    });
    if (entry.kind === "sleep") await this.#sleepers.sleep(entry.until);
  }

  async #wait(wait: Wait): Promise<unknown> {
    this.#waits.begin(wait.step);
    let known = await this.#busily(() => this.#find(wait.step, "wait"));
    for (;;) {
      const { entry, revision } = await this.#busily(() => this.#look(wait, known));
      if (entry.state !== "waiting") {
        this.#reports.waited(entry, known?.entry);
        return this.#busily(() => this.#give(entry, wait.schema));
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

  async #look(wait: Wait, known: Known | undefined): ReturnType<SignalWaits["look"]> {
    try {
      return await this.#waits.look(wait, known);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  async #busily<T>(work: () => Promise<T>): Promise<T> {
    this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
      if (this.#busy === 0) this.#onIdle?.();
      this.#sleepers.look();
    }
  }

  #find(step: StepRef, kind: JournalEntry["kind"]): Promise<Known | undefined> {
    return this.#onceRead(() => {
      const known = this.#journal.ask(step, kind);
      if (known !== undefined) this.#reports.replayed();
      return known;
    });
  }

  async #onceRead<T>(answer: () => T): Promise<T> {
    try {
      await this.#caught.noted();
      await this.#read();
      return answer();
    } catch (error) {
      return this.#refuse(error);
    }
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readOnce();
    return this.#reading;
  }

  /**
   * Before anything is run. Where nothing is on record, another may have ended the job and have
   * forgotten its steps: a message that lay in a frozen process looks as if it had just come.
   */
  async #readOnce(): Promise<void> {
    const { definition, host, envelope, message, listener } = this.#options;
    await this.#insistence.on(() => this.#journal.read());
    if (!this.#journal.wasEmpty) {
      const leftMs = leftUntil(host, envelope, definition, this.#journal.version);
      if (leftMs === undefined) return;
      if (this.#state !== "over") this.#goToSleep(leftMs);
      throw GONE;
    }
    const job = { ...envelope, ...firstMessageOf(envelope, message) };
    const end = await this.#insistence.on(() => host.broker.history.endOf(job));
    if (end === undefined) return;
    if (this.#state !== "over") listener.end(undefined);
    this.close();
    throw GONE;
  }

  /** @returns the entry to be recorded */
  async #call(
    step: StepRef,
    fn: (call: StepCall) => unknown,
    output: StepOptions<unknown>["output"],
    replaced: number | undefined,
  ): Promise<JournalEntry> {
    // The lease may have been lost while the records were read.
    const reason = this.#options.abort.look();
    if (reason !== undefined) throw reason;
    try {
      const value = await inside.run(this, async () =>
        fn({ key: keyOf(this.#options.envelope, step) }),
      );
      if (OutcomeSignal.is(value)) throw value;
      const entry = { ...this.#own(step), kind: "run", outcome: "returned", value } as const;
      if (output !== undefined) await valueOf(this.#asRead(entry), output);
      return entry;
    } catch (threw) {
      // What it asks for, or that it was told to stop, is no failure of the step.
      const isStopped = this.#options.abort.look() !== undefined;
      if (threw === GONE || OutcomeSignal.is(threw) || isStopped) throw threw;
      const error = maskRecorded(recordFailure(threw), this.#options.host.maskText);
      const entry = { ...this.#own(step), kind: "run", outcome: "failed", error } as const;
      this.#caught.add({ entry, replaced });
      throw new StepError(step.name, error);
    }
  }

  #asRead(entry: JournalEntry): JournalEntry {
    try {
      return asRead(entry);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  async #give(entry: JournalEntry, output: StepOptions<unknown>["output"]): Promise<unknown> {
    if (entry.kind === "run" && entry.outcome === "failed")
      throw new StepError(entry.name, entry.error);
    try {
      return await valueOf(entry, output);
    } catch (error) {
      return this.#refuse(asMismatch(error));
    }
  }

  async #record(entry: JournalEntry, replaced: number | undefined): Promise<Known> {
    try {
      const there = await this.#insistence.on(() => this.#journal.record(entry, replaced));
      this.#reports.recorded(there.entry, replaced === undefined);
      return there;
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** What would fail again, with its effects once more, ends the job. */
  #refuse(error: unknown): never {
    if (!isFinal(error)) throw error;
    if (this.#state !== "over") this.#options.listener.end(fatalOutcome(error));
    this.close();
    throw GONE;
  }

  #goToSleep(untilMs: number): void {
    const { host, envelope, abort, listener } = this.#options;
    this.#journal.leave(envelope);
    listener.end(outcomeOfSleep(host, abort.look(), untilMs));
    this.close();
  }

  #own(step: StepRef): StepRef & { readonly at: number; readonly life: number } {
    const { host, envelope } = this.#options;
    return { ...step, at: host.clock.now(), life: envelope.life ?? 0 };
  }
}
