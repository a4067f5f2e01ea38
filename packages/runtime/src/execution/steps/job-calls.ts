import {
  type AnyJobDefinition,
  type CallEntry,
  calledId,
  type CallingStep,
  type Envelope,
  isHopeless,
  type JobRef,
  MillraceError,
  newJobId,
  type PreparedJob,
  type RecordedError,
  recordFailure,
  type SettledCall,
  StepError,
  type StepRef,
} from "@millrace/core";
import type { AbortSwitch } from "../attempt/abort-switch.ts";
import type { ExecutionHost } from "../execution-host.ts";
import { reportTrouble } from "../report.ts";
import { maskRecorded } from "../settle/mask-outcome.ts";
import { type CaughtFailure, keptOf } from "./telling/caught-failures.ts";
import { writeChildEnd } from "./child-end.ts";
import type { Known, RunJournal } from "./run-journal.ts";

/** A call that could not be enqueued is tried again after as long as it has waited already. */
const AGAIN_MS = { least: 1_000, most: 60_000 } as const;

/** Enqueues a job as its handler does, with its parent; a second time where it may be repeated. */
export interface EnqueueCalled {
  /** @throws what is wrong with the job itself */
  readonly prepare: (
    job: AnyJobDefinition,
    input: unknown,
    options: { readonly id: string },
  ) => PreparedJob | Promise<PreparedJob>;
  /** @throws what the broker says */
  readonly send: (prepared: PreparedJob) => Promise<JobRef>;
}

export interface JobCallsOptions {
  readonly host: ExecutionHost;
  readonly envelope: Envelope;
  readonly abort: AbortSwitch;
  readonly enqueue: EnqueueCalled;
  readonly journal: Pick<RunJournal, "bytes" | "endOf" | "isOfNow" | "readEnds">;
  /** Asks the broker until it answers. */
  readonly insist: <T>(action: () => Promise<T>) => Promise<T>;
  readonly record: (entry: CallEntry, replaced: number | undefined) => Promise<Known>;
  /** Takes a failure that the handler is told of, and is on record once it goes on after it. */
  readonly failed: (error: StepError, failure: CaughtFailure) => void;
}

/** One `step.call`. */
export interface Call {
  readonly step: StepRef;
  readonly job: AnyJobDefinition;
  readonly input: unknown;
  /** Where it is asked for the first time; then the record says it. Infinity: none. */
  readonly untilMs: number;
}

export type CallKnown = Known & { readonly entry: CallEntry };

/**
 * The jobs that the steps of one attempt call. What is to be called is on record before it is
 * enqueued, so that each node that takes the job up calls the same one; and whoever settles that
 * one writes its end into this job's journal, and wakes it.
 */
export class JobCalls {
  readonly #options: JobCallsOptions;
  /** The last end that was missed, while it is written. */
  #missed: Promise<void> = Promise.resolve();

  constructor(options: JobCallsOptions) {
    this.#options = options;
  }

  /**
   * Calls what is not called yet, and records what has become of it.
   *
   * @param again whether its end is looked for once more: it may have come since all was read
   * @returns what is on record then
   * @throws StepError where its job can't be enqueued, and another try would not mend that
   */
  async look(call: Call, known: Known | undefined, again: boolean): Promise<CallKnown> {
    const { host, envelope, journal, insist } = this.#options;
    if (again) await insist(() => journal.readEnds());
    let there = known as CallKnown | undefined;
    if (!again && there !== undefined) await this.#findMissedEnd(there.entry);
    // By another holder, or by a try that was not confirmed: the queue forgets ids by and by.
    const wasThere = there !== undefined;
    if (there === undefined || !this.stands(there.entry)) {
      const child = { queue: call.job.queue, id: calledId(envelope, newJobId(host.clock.now())) };
      there = await this.#put(this.#begun(call, child), there?.revision);
    }
    while (there.entry.state === "calling") {
      const next: CallEntry | undefined = there.entry.isEnqueued
        ? this.#ended(call, there.entry)
        : await this.#sent(call, there.entry, there.revision, wasThere);
      if (next === undefined) return there;
      there = await this.#put(next, there.revision);
    }
    return there;
  }

  /** When to look again at a call that is open, epoch milliseconds. Infinity: once it is woken. */
  dueAt({ entry }: CallKnown): number {
    if (entry.state !== "calling") return 0;
    const { isEnqueued, at, until = Infinity } = entry;
    if (isEnqueued) return until;
    const now = this.#options.host.clock.now();
    const waitMs = Math.min(Math.max(now - at, AGAIN_MS.least), AGAIN_MS.most);
    return Math.min(until, now + waitMs);
  }

  /**
   * The called job's result.
   *
   * @throws StepError
   */
  async resultOf({ entry, revision }: CallKnown): Promise<unknown> {
    const { failed, journal, insist } = this.#options;
    const { name, child } = entry;
    const failure = failureOf(entry);
    if (failure !== undefined) {
      const error = new StepError(name, failure);
      if (entry.state !== "calling" && entry.attempts !== undefined)
        failed(error, keptOf(entry, revision));
      throw error;
    }
    // Another holder may have recorded that it was told.
    if (journal.endOf(child.id) === undefined) await insist(() => journal.readEnds());
    const end = journal.endOf(child.id);
    if (end?.error !== undefined) throw new StepError(name, end.error);
    return end?.value;
  }

  #own({ step }: Call): Pick<CallEntry, "name" | "n" | "at" | "life" | "kind"> {
    const { host, envelope } = this.#options;
    return { ...step, at: host.clock.now(), life: envelope.life ?? 0, kind: "call" };
  }

  #begun(call: Call, child: JobRef): CallEntry {
    const until = call.untilMs === Infinity ? {} : { until: call.untilMs };
    return { ...this.#own(call), state: "calling", child, isEnqueued: false, ...until };
  }

  async #put(entry: CallEntry, replaced: number | undefined): Promise<CallKnown> {
    return (await this.#options.record(entry, replaced)) as CallKnown;
  }

  /** @returns undefined while its job goes on */
  #ended(call: Call, { child, until = Infinity }: CallingStep): CallEntry | undefined {
    const { host, journal } = this.#options;
    if (journal.endOf(child.id) !== undefined) return { ...this.#own(call), state: "ended", child };
    if (until <= host.clock.now()) return { ...this.#own(call), state: "timed-out", child };
    return undefined;
  }

  /** @returns undefined where it can't be enqueued yet */
  async #sent(
    call: Call,
    entry: CallingStep,
    revision: number,
    wasThere: boolean,
  ): Promise<CallEntry | undefined> {
    const { child, until = Infinity } = entry;
    if (wasThere) {
      const own = this.#own(call);
      if (await this.#isCalled(child)) return { ...entry, isEnqueued: true };
      // What an earlier life could not enqueue has all of its time once more.
      if (entry.life !== own.life) return this.#begun(call, child);
      if (until <= own.at) return { ...own, state: "timed-out", child };
    }
    const ended = (error: RecordedError): SettledCall => ({
      ...{ ...this.#own(call), state: "ended", child, error },
    });
    const { job, input, step } = call;
    const { enqueue, host, envelope } = this.#options;
    let isPrepared = false;
    try {
      const prepared = await enqueue.prepare(job, input, { id: child.id });
      isPrepared = true;
      const { id: holder } = await enqueue.send(prepared);
      if (holder === child.id) return { ...entry, isEnqueued: true };
      // Nobody is ever going to tell of its end.
      const message = `The job ${holder} has its unique key.`;
      return ended({ type: "unique-conflict", message });
    } catch (threw) {
      // That the attempt was told to stop is no failure of the call.
      if (this.#options.abort.look() !== undefined) throw threw;
      // The handler would take another way, and the next attempt might find room.
      if (isPrepared && MillraceError.is(threw) && !isHopeless(threw)) {
        reportTrouble(host, envelope, threw, undefined);
        return undefined;
      }
      const error = maskRecorded(recordFailure(threw), host.maskText);
      const told = new StepError(step.name, error);
      this.#options.failed(told, { entry: ended(error), replaced: revision });
      throw told;
    }
  }

  /** Nobody else has its id, which has random bits. */
  async #isCalled({ id, queue }: JobRef): Promise<boolean> {
    const { host, insist } = this.#options;
    // It waits, and then it has a record: looked for in this order, it is not missed in between.
    if ((await insist(() => host.broker.findWaiting(id, { queue }))) !== undefined) return true;
    return (await insist(() => host.broker.history.read({ id, queue }))).length > 0;
  }

  /**
   * For a called job that ended while this one's letter was discarded: there was no journal into
   * which its end could be written. Once the letter is back, so is the journal.
   */
  async #findMissedEnd({ state, child, life }: CallEntry): Promise<void> {
    const { host, envelope, journal, insist } = this.#options;
    const isTaken = life === (envelope.life ?? 0) || journal.endOf(child.id) !== undefined;
    if (state !== "calling" || isTaken) return;
    const end = await insist(() => host.broker.history.last(child, "ended"));
    if (end === undefined) return;
    const { id, queue, createdAt } = envelope;
    const run = { id, queue, createdAt };
    // One after the other: each counts what is on record before it.
    const before = this.#missed;
    const written = (async () => {
      await before.catch(() => {});
      const { bytes } = journal;
      const at = host.clock.now();
      await insist(() => writeChildEnd(host.broker, run, end.record, { at, bytes }));
      await insist(() => journal.readEnds());
    })();
    this.#missed = written;
    await written;
  }

  /** A failure that an earlier life or attempt left is not what this one is to have. */
  stands(entry: CallEntry): boolean {
    const { journal } = this.#options;
    const failure = failureOf(entry) ?? journal.endOf(entry.child.id)?.error;
    return failure === undefined || journal.isOfNow(entry);
  }
}

/** Of a call that has failed without an end of its job. */
export function failureOf(entry: CallEntry): RecordedError | undefined {
  if (entry.state === "timed-out")
    return { type: "timed-out", message: `The job ${entry.child.id} has not ended in time.` };
  return entry.state === "ended" ? entry.error : undefined;
}
