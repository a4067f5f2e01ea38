import {
  type AnyJobDefinition,
  type CallEntry,
  calledId,
  type Envelope,
  type JobRef,
  newJobId,
  type RecordedError,
  StepError,
  type StepRef,
} from "@millrace/core";
import type { ExecutionHost } from "../execution-host.ts";
import { writeChildEnd } from "./child-end.ts";
import type { Known, RunJournal } from "./run-journal.ts";

/** Enqueues a job as its handler does, with its parent; a second time where it may be repeated. */
export type EnqueueCalled = (
  job: AnyJobDefinition,
  input: unknown,
  options: { readonly id: string },
) => Promise<JobRef>;

export interface JobCallsOptions {
  readonly host: ExecutionHost;
  readonly envelope: Envelope;
  readonly enqueue: EnqueueCalled;
  readonly journal: Pick<RunJournal, "endOf" | "readEnds">;
  /** Asks the broker until it answers. */
  readonly insist: <T>(action: () => Promise<T>) => Promise<T>;
  readonly record: (entry: CallEntry, replaced: number | undefined) => Promise<Known>;
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

  constructor(options: JobCallsOptions) {
    this.#options = options;
  }

  /**
   * Calls what is not called yet, and records what has become of it.
   *
   * @param again whether its end is looked for once more: it may have come since all was read
   * @returns what is on record then
   */
  async look(call: Call, known: Known | undefined, again: boolean): Promise<CallKnown> {
    const { host, envelope, journal, insist, record } = this.#options;
    if (again) await insist(() => journal.readEnds());
    const own = {
      ...call.step,
      at: host.clock.now(),
      life: envelope.life ?? 0,
      kind: "call",
    } as const;
    const put = async (entry: CallEntry, replaced: number | undefined): Promise<CallKnown> =>
      (await record(entry, replaced)) as CallKnown;
    let there = known as CallKnown | undefined;
    if (!again && there !== undefined) await this.#findMissedEnd(there.entry);
    // By another holder, which may have enqueued it and died: the queue forgets ids by and by.
    const wasThere = there !== undefined;
    if (there === undefined || this.#isOfEarlierLife(there.entry))
      there = await put(
        {
          ...own,
          state: "calling",
          child: { queue: call.job.queue, id: calledId(envelope, newJobId(host.clock.now())) },
          isEnqueued: false,
          ...(call.untilMs === Infinity ? {} : { until: call.untilMs }),
        },
        there?.revision,
      );
    while (there.entry.state === "calling") {
      const { entry, revision }: CallKnown = there;
      const { child, until = Infinity } = entry;
      if (entry.state === "calling" && !entry.isEnqueued) {
        const isThere = wasThere && (await this.#isCalled(child));
        const error = isThere ? undefined : await this.#refusal(call, child);
        there = await put(
          error === undefined
            ? { ...entry, isEnqueued: true }
            : { ...own, state: "ended", child, error },
          revision,
        );
      } else if (journal.endOf(child.id) !== undefined)
        there = await put({ ...own, state: "ended", child }, revision);
      else if (until <= host.clock.now())
        there = await put({ ...own, state: "timed-out", child }, revision);
      else return there;
    }
    return there;
  }

  /**
   * The called job's result.
   *
   * @throws StepError
   */
  async resultOf({ entry }: CallKnown): Promise<unknown> {
    const { journal, insist } = this.#options;
    const { name, child } = entry;
    const failure = failureOf(entry);
    if (failure !== undefined) throw new StepError(name, failure);
    // Another holder may have recorded that it was told.
    if (journal.endOf(child.id) === undefined) await insist(() => journal.readEnds());
    const end = journal.endOf(child.id);
    if (end?.error !== undefined) throw new StepError(name, end.error);
    return end?.value;
  }

  /**
   * Enqueues it.
   *
   * @returns why it is not stored, where nobody is ever going to tell of its end
   */
  async #refusal({ job, input }: Call, { id }: JobRef): Promise<RecordedError | undefined> {
    const { id: holder } = await this.#options.enqueue(job, input, { id });
    if (holder === id) return undefined;
    return { type: "unique-conflict", message: `The job ${holder} has its unique key.` };
  }

  /** Nobody else has its id, which has random bits. */
  async #isCalled({ id, queue }: JobRef): Promise<boolean> {
    const { host, insist } = this.#options;
    // It waits, and then it has a record: looked for in this order, it is not missed in between.
    if ((await insist(() => host.broker.findWaiting(id, { queue }))) !== undefined) return true;
    return (await insist(() => host.broker.history.read({ id, queue }))).length > 0;
  }

  /**
   * Of a job that ended while the letter of this one was discarded, and so had no journal into
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
    await insist(() => writeChildEnd(host.broker, run, end.record, host.clock.now()));
    await insist(() => journal.readEnds());
  }

  /** A failure that an earlier life left is not what this one is to have. */
  #isOfEarlierLife(entry: CallEntry): boolean {
    const { envelope, journal } = this.#options;
    const failure = failureOf(entry) ?? journal.endOf(entry.child.id)?.error;
    return failure !== undefined && entry.life !== (envelope.life ?? 0);
  }
}

/** Of a call that has failed without an end of its job. */
export function failureOf(entry: CallEntry): RecordedError | undefined {
  if (entry.state === "timed-out")
    return { type: "timed-out", message: `The job ${entry.child.id} has not ended in time.` };
  return entry.state === "ended" ? entry.error : undefined;
}
