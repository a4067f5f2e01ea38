import {
  type CallEntry,
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
  type Steps,
  type StepsDefinition,
  type Timer,
} from "@millrace/core";
import { AnswerOrder, type OpenStep } from "./telling/answer-order.ts";
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
type Kind = OpenStep["kind"];

/** The steps of a handler that is replayed: they give what is on record, and run nothing. */
export class ReplayedSteps {
  readonly api: Steps;
  readonly #run: ReadRun;
  readonly #definition: StepsDefinition;
  readonly #clock: Clock;
  readonly #journal: RunJournal;
  readonly #places = new StepPlaces();
  readonly #at: ReplayedStep[] = [];
  readonly #order: AnswerOrder;
  readonly #stood = Promise.withResolvers<Found>();
  #quietMs = 0;
  #quiet: Timer | undefined;
  #replayed = 0;

  constructor(run: ReadRun, definition: StepsDefinition, clock: Clock) {
    this.#run = run;
    this.#definition = definition;
    this.#clock = clock;
    const { id, queue, createdAt, life = 0, attempts } = run.envelope;
    this.#journal = new RunJournal({
      broker: { journal: { maxBytes: Infinity, read: async () => run.steps, write: never } },
      run: { id, queue, createdAt },
      ...{ lease: undefined, life, attempts, version: definition.version },
    });
    this.#order = new AnswerOrder({
      clock,
      rankOf: (known) => this.#journal.rankOf(known),
      outOfOrder: () => {},
    });
    this.api = stepsApi(clock, {
      run: (name, _fn, options) =>
        this.#begin(name, "run", (open) => this.#ran(open, options?.output)),
      sleep: (name, untilMs) => this.#begin(name, "sleep", (open) => this.#slept(open, untilMs)),
      wait: (name, _untilMs, schema) =>
        this.#begin(name, "wait", (open) => this.#waited(open, schema)),
      call: (name) => this.#begin(name, "call", (open) => this.#called(open)),
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
    return this.#standAt({ name: "transaction", n: 0, kind: "transaction", state: "new" });
  }

  close(): void {
    this.#quiet?.cancel();
    this.#order.close();
  }

  #begin<T>(name: string, kind: Kind, work: (open: OpenStep) => Promise<T>): Promise<T> {
    return answered(this.#place(name, kind, work));
  }

  async #place<T>(name: string, kind: Kind, work: (open: OpenStep) => Promise<T>): Promise<T> {
    const open = this.#order.ask(this.#places.next(requireStepName(name)), kind);
    this.#moved();
    try {
      return await work(open);
    } finally {
      this.#order.drop(open);
      this.#moved();
    }
  }

  async #ran(open: OpenStep, output: Output): Promise<never> {
    const known = await this.#ask(open, (entry) => this.#journal.stands(entry));
    if (known === undefined) return this.#stand(open, "new");
    if (!this.#journal.stands(known.entry)) return this.#stand(open, "again");
    return this.#give(open, known.entry, output);
  }

  async #slept(open: OpenStep, untilMs: number): Promise<void> {
    const known = await this.#ask(open, (entry) => entry.kind === "sleep" && entry.ended === true);
    const entry = known?.entry.kind === "sleep" ? known.entry : undefined;
    open.untilMs = entry?.until ?? untilMs;
    if (entry === undefined) return this.#stand(open, "new");
    if (entry.ended === true) await this.#order.turn(open);
    else if (entry.until > this.#run.at) return this.#stand(open, "open");
    // Where its end comes on record first, it is told of after all that is.
    else if (!(await this.#order.due(open))) await this.#order.turn(open);
    this.#replayed += 1;
  }

  async #waited(open: OpenStep, schema: Output): Promise<never> {
    const isOver = (entry: JournalEntry): boolean =>
      entry.kind === "wait" && entry.state !== "waiting";
    const known = await this.#ask(open, isOver);
    if (known === undefined) return this.#stand(open, "new");
    if (!isOver(known.entry)) return this.#stand(open, "open");
    return this.#give(open, known.entry, schema);
  }

  async #called(open: OpenStep): Promise<unknown> {
    const known = await this.#ask(
      open,
      (entry) => entry.kind === "call" && entry.state !== "calling" && this.#callStands(entry),
    );
    if (known === undefined) return this.#stand(open, "new");
    const { entry } = known;
    if (entry.kind !== "call") return never();
    const end = this.#journal.endOf(entry.child.id);
    const failure = failureOf(entry) ?? end?.error;
    if (!this.#callStands(entry)) return this.#stand(open, "again");
    if (entry.state === "calling" && end === undefined) return this.#stand(open, "open");
    await this.#order.turn(open);
    this.#replayed += 1;
    if (failure !== undefined) throw new StepError(entry.name, failure);
    return end?.value;
  }

  #callStands(entry: CallEntry): boolean {
    const failure = failureOf(entry) ?? this.#journal.endOf(entry.child.id)?.error;
    return failure === undefined || this.#journal.isOfNow(entry);
  }

  async #give(open: OpenStep, entry: JournalEntry, output: Output): Promise<never> {
    const isFailed = entry.kind === "run" && entry.outcome === "failed";
    const value = isFailed ? undefined : await this.#valueOf(entry, output);
    await this.#order.turn(open);
    this.#replayed += 1;
    if (isFailed) throw new StepError(entry.name, entry.error);
    return value as never;
  }

  async #valueOf(entry: JournalEntry, output: Output): Promise<unknown> {
    try {
      return await valueOf(entry, output);
    } catch (error) {
      return this.#refuse(asMismatch(error));
    }
  }

  async #ask(
    { step, kind }: OpenStep,
    isAnswer: (entry: JournalEntry) => boolean,
  ): Promise<Known | undefined> {
    try {
      const known = this.#journal.ask(step, kind);
      const answer = known !== undefined && isAnswer(known.entry) ? known : undefined;
      this.#order.found(step, answer);
      return known;
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** The node ends the job then, whatever the handler does. */
  #refuse(error: unknown): Promise<never> {
    this.#stood.resolve({ outcome: "mismatch", error: recordError(error) });
    return never();
  }

  #stand({ step, kind }: OpenStep, state: ReplayedStep["state"]): Promise<never> {
    return this.#standAt({ ...step, kind, state });
  }

  #standAt(step: ReplayedStep): Promise<never> {
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
