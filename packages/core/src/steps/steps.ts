import type { JobDefinition } from "../job/define-job.ts";
import type { Schema } from "../job/schema.ts";
import type { Duration } from "../time/duration.ts";
import type { Signal } from "./signal.ts";

/** What the function of a step is given. */
export interface StepCall {
  /**
   * The same whenever this step of this job is run: hand it on as an idempotency key. A function
   * may run twice, where its node died after the effect and before the record.
   */
  readonly key: string;
}

/** How a step's result is checked. */
export interface StepOptions<Output> {
  /** Checks the result, when the step is run and whenever its record is read. */
  readonly output?: Schema<unknown, Output>;
}

export interface WaitOptions {
  /** How long. Left out: until it comes. */
  readonly timeout?: Duration;
}

/** What a signal's value must be, for one that is named by its name alone. */
export interface CheckedWait<Parsed> {
  readonly schema?: Schema<unknown, Parsed>;
}

interface Timeout {
  readonly timeout: Duration;
}

/** How a job is called. */
export interface CallOptions {
  /** The step's name. Default: the job's. */
  readonly name?: string;
  /** How long its end is waited for. The job itself goes on. Left out: until it ends. */
  readonly timeout?: Duration;
}

/** See `Steps.waitFor`. */
export interface WaitFor {
  <Input, Parsed>(
    signal: Signal<Input, Parsed>,
    options: WaitOptions & Timeout,
  ): Promise<Parsed | undefined>;
  <Input, Parsed>(signal: Signal<Input, Parsed>, options?: WaitOptions): Promise<Parsed>;
  <Parsed = unknown>(
    name: string,
    options: WaitOptions & CheckedWait<Parsed> & Timeout,
  ): Promise<Parsed | undefined>;
  <Parsed = unknown>(name: string, options?: WaitOptions & CheckedWait<Parsed>): Promise<Parsed>;
}

/**
 * The steps of a job that is defined with `steps: true`. A recorded step isn't run again, whatever
 * becomes of the attempt: a retry, a restart, a crash.
 *
 * A handler is run from its top each time, and meets its steps by their names: so it must ask for
 * the same steps where it is given the same input and results. Steps of one name are told apart by
 * their order.
 */
export interface Steps {
  /**
   * Runs the function and records what it returns, before it returns that. Where a record is there,
   * gives that and runs nothing. What is given is always read back from the record: plain data, the
   * same the first time and every other time.
   *
   * @throws StepError what the function threw. Where the handler throws it on, the attempt has
   *   failed, and the next one runs the step again; where it goes on to another step, the failure
   *   stands
   * @example
   * const user = await step.run("create account", ({ key }) => accounts.create(input, key));
   */
  readonly run: <Result, Output = Result>(
    name: string,
    fn: (call: StepCall) => Promise<Result> | Result,
    options?: StepOptions<Output>,
  ) => Promise<Output>;
  /**
   * Goes on after this time. Meanwhile the job waits as a delayed job does, and is as exact: it
   * holds no slot, no lease and no memory, and no attempt is spent.
   *
   * @example
   * await step.sleep("let it settle", "3d");
   */
  readonly sleep: (name: string, duration: Duration) => Promise<void>;
  /**
   * The same until a moment: a `Date`, or epoch milliseconds.
   *
   * @throws MillraceError `invalid-step` where it is none, or later than any date
   */
  readonly sleepUntil: (name: string, at: Date | number) => Promise<void>;
  /**
   * Waits for a signal: what anybody sends to this job under this name. Gives its value, or
   * `undefined` where none has come in time. Meanwhile the job waits as in a sleep, and goes on as
   * soon as a signal is there. One that came before is taken at once; each is taken by one step,
   * the oldest first. A signal that does not satisfy the schema is passed over, with a line in the
   * log.
   *
   * @throws whatever the schema throws; the attempt has failed then, also where the handler catches
   *   that and goes on to a step, and the next one asks the schema anew
   * @throws MillraceError `invalid-name` where the name isn't made of A-Z a-z 0-9 _ : -
   * @example
   * const answer = await step.waitFor("approval", { schema, timeout: "7d" });
   * if (answer === undefined) return "nobody has answered";
   * @example
   * await millrace.signal(order, "o-17", "approval", { ok: true });
   */
  readonly waitFor: WaitFor;
  /**
   * Enqueues another job, waits for its end as for a signal, and gives its result. Several calls
   * may be under way side by side (`Promise.all`).
   *
   * @throws StepError where the job is dead, has expired or was cancelled, with its error; where it
   *   did not end in time (`timed-out`); where another job has its unique key (`unique-conflict`).
   *   That stands: only a retry of this job's dead letter calls anew. `invalid-payload` and its
   *   kin, where the job can't be enqueued
   * @example
   * const [invoice, parcel] = await Promise.all([step.call(bill, order), step.call(pack, order)]);
   */
  readonly call: <Input, Parsed, Output>(
    job: JobDefinition<Input, Parsed, Output>,
    input: NoInfer<Input>,
    options?: CallOptions,
  ) => Promise<Output>;
  /**
   * With which version of the handler the job began: `version` of its definition for a new job, and
   * what is on record for one that was here before. It stays the same for all of a job's life.
   *
   * @example
   * if ((await step.version()) >= 2) await step.run("check for fraud", () => check(input));
   */
  readonly version: () => Promise<number>;
}
