import {
  type Clock,
  type JobRef,
  type JournalEntry,
  MillraceError,
  type ReadRun,
  type RecordedError,
  recordError,
  requireStepName,
  StepError,
  type StepOptions,
  type StepRef,
  type Steps,
  type StepsDefinition,
  type Timer,
} from "@millrace/core";
import { failureOf } from "./job-calls.ts";
import type { Known } from "./run-journal.ts";
import { RunJournal } from "./run-journal.ts";
import { answered, never } from "./step-failures.ts";
import { StepPlaces } from "./step-place.ts";
import { asMismatch, valueOf } from "./step-value.ts";
import { stepsApi } from "./steps-api.ts";

/**
 * What becomes of a run with a handler.
 *
 * - `goes-on`: at the steps of `at`.
 * - `ends`: the handler returns, and asks for no step that is not on record.
 * - `left`: it began with a version that this handler leaves to other nodes.
 * - `mismatch`: it would be a dead letter with the error `journal-mismatch`.
 * - `early`: a new step would be run before steps that are on record are asked for. If the step
 *   only has another name, its work would be done twice.
 * - `throws`: the attempt would fail.
 * - `unanswered`: the handler neither ended nor asked for a step in time.
 */
export type ReplayOutcome =
  "goes-on" | "ends" | "left" | "mismatch" | "early" | "throws" | "unanswered";

/** What became of a recorded run that was replayed with the handlers of today. */
export interface ReplayedRun {
  readonly job: JobRef & { readonly name: string };
  /** Of the job, where it was traced. */
  readonly traceId?: string;
  readonly outcome: ReplayOutcome;
  /** Whether it would break: `mismatch`, `early`, `throws` and `unanswered`. */
  readonly breaks: boolean;
  /** How many steps were given what is on record. */
  readonly replayed: number;
  readonly at: readonly ReplayedStep[];
  /** Names of steps that are on record, and were not asked for. */
  readonly notAsked: readonly string[];
  readonly error?: RecordedError;
}

/** A step at which a run goes on with the handler that it was replayed with. */
export interface ReplayedStep {
  readonly name: string;
  readonly n: number;
  readonly kind: "run" | "sleep" | "wait" | "call" | "transaction";
  /**
   * `new`: nothing is on record of it, so it would be run. `again`: an earlier life's failure is,
   * and it would be run anew. `open`: a sleep, a wait or a call that is not over yet.
   */
  readonly state: "new" | "again" | "open";
}

type Found = Pick<ReplayedRun, "outcome" | "error">;
type Output = StepOptions<unknown>["output"];

/** The steps of a handler that is replayed: they give what is on record, and run nothing. */
export class ReplayedSteps {
  readonly api: Steps;
  readonly #run: ReadRun;
  readonly #definition: StepsDefinition;
  readonly #clock: Clock;
  readonly #journal: RunJournal;
  readonly #places = new StepPlaces();
  readonly #at: ReplayedStep[] = [];
  readonly #stood = Promise.withResolvers<Found>();
  #quietMs = 0;
  #quiet: Timer | undefined;
  #replayed = 0;

  constructor(run: ReadRun, definition: StepsDefinition, clock: Clock) {
    this.#run = run;
    this.#definition = definition;
    this.#clock = clock;
    const { id, queue, createdAt, life = 0 } = run.envelope;
    this.#journal = new RunJournal({
      broker: { journal: { read: async () => run.steps, write: never } },
      run: { id, queue, createdAt },
      ...{ lease: undefined, life, version: definition.version },
    });
    this.api = stepsApi(clock, {
      run: (name, _fn, options) => this.#begin(name, (step) => this.#ran(step, options?.output)),
      sleep: (name) => this.#begin(name, (step) => this.#slept(step)),
      wait: (name, _untilMs, schema) => this.#begin(name, (step) => this.#waited(step, schema)),
      call: (name) => this.#begin(name, (step) => this.#called(step)),
      version: () => Promise.resolve(this.#journal.version),
    });
  }

  get replayed(): number {
    return this.#replayed;
  }

  get at(): readonly ReplayedStep[] {
    return this.#at;
  }

  get notAsked(): readonly string[] {
    return this.#journal.notAsked.map(({ name }) => name);
  }

  /** @returns what becomes of the run before its handler is asked, if that is said already */
  async read(): Promise<Found | undefined> {
    try {
      await this.#journal.read();
    } catch (error) {
      return { outcome: "mismatch", error: recordError(error) };
    }
    const { version, olderRuns } = this.#definition;
    const begunWith = this.#journal.version;
    if (this.#journal.wasEmpty || begunWith === version) return undefined;
    if (begunWith > version || olderRuns === "leave") return { outcome: "left" };
    if (olderRuns === "run") return undefined;
    const why = `The run began with version ${begunWith} of its steps, and this handler has version ${version} and refuses older runs.`;
    return {
      outcome: "mismatch",
      error: recordError(new MillraceError("journal-mismatch", why)),
    };
  }

  /** Resolves once the handler waits for steps that are not over, and does nothing else. */
  stoodStill(quietMs: number): Promise<Found> {
    this.#quietMs = quietMs;
    return this.#stood.promise;
  }

  endedWell(): Found {
    try {
      this.#journal.requireAllAsked();
      return { outcome: "ends" };
    } catch (error) {
      return { outcome: "mismatch", error: recordError(error) };
    }
  }

  /** What it has committed is not known here. */
  transaction(): Promise<never> {
    return this.#stand({ name: "transaction", n: 0, kind: "transaction", state: "new" });
  }

  close(): void {
    this.#quiet?.cancel();
  }

  #begin<T>(name: string, work: (step: StepRef) => Promise<T>): Promise<T> {
    return answered(this.#place(name, work));
  }

  async #place<T>(name: string, work: (step: StepRef) => Promise<T>): Promise<T> {
    const step = this.#places.next(requireStepName(name));
    this.#moved();
    try {
      return await work(step);
    } finally {
      this.#moved();
    }
  }

  async #ran(step: StepRef, output: Output): Promise<never> {
    const known = await this.#ask(step, "run");
    if (known === undefined) return this.#stand({ ...step, kind: "run", state: "new" });
    if (!this.#journal.stands(known.entry))
      return this.#stand({ ...step, kind: "run", state: "again" });
    return this.#give(known.entry, output);
  }

  async #slept(step: StepRef): Promise<void> {
    const known = await this.#ask(step, "sleep");
    if (known === undefined) return this.#stand({ ...step, kind: "sleep", state: "new" });
    const { entry } = known;
    if (entry.kind === "sleep" && entry.until > this.#run.at)
      return this.#stand({ ...step, kind: "sleep", state: "open" });
    this.#replayed += 1;
  }

  async #waited(step: StepRef, schema: Output): Promise<never> {
    const known = await this.#ask(step, "wait");
    if (known === undefined) return this.#stand({ ...step, kind: "wait", state: "new" });
    if (known.entry.kind === "wait" && known.entry.state === "waiting")
      return this.#stand({ ...step, kind: "wait", state: "open" });
    return this.#give(known.entry, schema);
  }

  async #called(step: StepRef): Promise<unknown> {
    const known = await this.#ask(step, "call");
    if (known === undefined) return this.#stand({ ...step, kind: "call", state: "new" });
    const { entry } = known;
    if (entry.kind !== "call") return never();
    const end = this.#journal.endOf(entry.child.id);
    const failure = failureOf(entry) ?? end?.error;
    if (failure !== undefined && entry.life !== (this.#run.envelope.life ?? 0))
      return this.#stand({ ...step, kind: "call", state: "again" });
    if (entry.state === "calling" && end === undefined)
      return this.#stand({ ...step, kind: "call", state: "open" });
    this.#replayed += 1;
    if (failure !== undefined) throw new StepError(entry.name, failure);
    return end?.value;
  }

  async #give(entry: JournalEntry, output: Output): Promise<never> {
    this.#replayed += 1;
    if (entry.kind === "run" && entry.outcome === "failed")
      throw new StepError(entry.name, entry.error);
    try {
      return (await valueOf(entry, output)) as never;
    } catch (error) {
      return this.#refuse(asMismatch(error));
    }
  }

  async #ask(step: StepRef, kind: JournalEntry["kind"]): Promise<Known | undefined> {
    try {
      return this.#journal.ask(step, kind);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** The node ends the job then, whatever the handler does. */
  #refuse(error: unknown): Promise<never> {
    this.#stood.resolve({ outcome: "mismatch", error: recordError(error) });
    return never();
  }

  #stand(step: ReplayedStep): Promise<never> {
    this.#at.push(step);
    this.#moved();
    return never();
  }

  /** The handler has done something: once it stands at a step, it may yet go on beside that. */
  #moved(): void {
    this.#quiet?.cancel();
    if (this.#at.length === 0) return;
    this.#quiet = this.#clock.setTimer(this.#quietMs, () => this.#stood.resolve(this.#standing()));
  }

  #standing(): Found {
    const isNew = this.#at.some(
      ({ kind, state }) => state === "new" && (kind === "run" || kind === "call"),
    );
    return { outcome: isNew && this.notAsked.length > 0 ? "early" : "goes-on" };
  }
}
