import {
  giveFields,
  type Broker,
  type Clock,
  type ErrorCode,
  type HistoryRecord,
  isErrorCode,
  MillraceError,
  type RecordedError,
  type Timer,
} from "@millrace/core";
import type { AwaitedJob } from "./awaited-job.ts";
import { Appearance } from "../../appearance.ts";
import { HOPELESS } from "../hopeless.ts";
import { endOnRecord, isDeath, isOfAnother, isFinal } from "./end-on-record.ts";

/**
 * A look that failed is repeated at the next reconnect, and after this long in any case; so is one
 * that found nothing, ever later.
 */
const LOOK_AGAIN_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Waits until a job has ended, and gives its result.
 *
 * @param timeoutMs undefined: for as long as it takes
 * @throws MillraceError what `resultOf` throws; `result-timeout`; `job-not-found`;
 *   `connection-closed`; the signal's reason
 */
export async function awaitResult(
  broker: Broker,
  job: AwaitedJob,
  timeoutMs: number | undefined,
  clock: Clock,
  signal?: AbortSignal,
): Promise<unknown> {
  return resultOf(await awaitEnd(broker, job, timeoutMs, clock, signal));
}

/**
 * Waits until a job has ended, however it ended.
 *
 * @returns the record of its end
 * @throws MillraceError `result-timeout`, `job-not-found`, `connection-closed`; the signal's reason
 */
export async function awaitEnd(
  broker: Broker,
  job: AwaitedJob,
  timeoutMs: number | undefined,
  clock: Clock,
  signal?: AbortSignal,
): Promise<HistoryRecord> {
  signal?.throwIfAborted();
  const wait = new ResultWait(broker, job, clock);
  const abort = (): void => wait.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const timer =
    timeoutMs === undefined ? undefined : clock.setTimer(timeoutMs, () => wait.giveUp(timeoutMs));
  try {
    return await wait.ended;
  } finally {
    timer?.cancel();
    signal?.removeEventListener("abort", abort);
    wait.stop();
  }
}

/**
 * One wait for the end of a job.
 *
 * Subscribes, then reads, then waits. It reads again a little later: JetStream hands a message to
 * subscribers before it can be read, so a record that arrives between the two may be seen by
 * neither. It goes on to read, ever more seldom: of a cluster's members one that came back may
 * store a record before it knows who listens at another, and then nobody is told. It begins anew
 * after every reconnect, for a record may have passed while nobody listened; and an outage while
 * it subscribes or reads only delays it.
 */
export class ResultWait {
  /** Resolves with the record that ended the job. */
  readonly ended: Promise<HistoryRecord>;
  readonly #broker: Broker;
  readonly #job: AwaitedJob;
  readonly #clock: Clock;
  readonly #outcome = Promise.withResolvers<HistoryRecord>();
  readonly #unwatch: () => void;
  readonly #appearance: Appearance | undefined;
  #following: { stop(): Promise<void> } | undefined;
  /** The look under way. Looks follow each other, so that there is never a second subscription. */
  #looking: Promise<void> = Promise.resolve();
  #again: Timer | undefined;
  /** Since the connection is there. */
  #emptyLooks = 0;
  #unclearLooks = 0;
  #stopped = false;

  constructor(broker: Broker, job: AwaitedJob, clock: Clock) {
    this.#broker = broker;
    this.#job = job;
    this.#clock = clock;
    this.ended = this.#outcome.promise;
    const { appearsWithinMs } = job;
    if (appearsWithinMs !== undefined)
      this.#appearance = new Appearance(broker, job, appearsWithinMs, clock, (error) =>
        this.#outcome.reject(error),
      );
    this.#unwatch = broker.onStatus((status) => {
      if (status === "connected") {
        this.#emptyLooks = 0;
        this.#appearance?.restart();
        this.#look();
      }
      if (status === "closed") this.#fail("connection-closed", "The connection was closed");
    });
    this.#look();
  }

  giveUp(timeoutMs: number): void {
    this.#outcome.reject(
      new MillraceError(
        "result-timeout",
        `Job ${this.#job.id} did not end within ${timeoutMs} ms. It goes on; ask again, or look at its status.`,
      ),
    );
  }

  abort(reason: unknown): void {
    this.#outcome.reject(reason);
  }

  /**
   * Lets go without waiting: a look that hangs in an outage must not hold the caller's deadline up.
   */
  stop(): void {
    this.#stopped = true;
    this.#unwatch();
    this.#appearance?.stop();
    this.#again?.cancel();
    // A subscription that can't be ended belongs to a connection that is gone, and went with it.
    this.#looking.then(() => this.#following?.stop()).catch(() => {});
  }

  #look(): void {
    this.#again?.cancel();
    this.#looking = this.#looking.then(() => this.#subscribeAndRead());
  }

  async #subscribeAndRead(): Promise<void> {
    if (this.#stopped) return;
    try {
      this.#following ??= await this.#broker.history.follow(this.#job, (record) =>
        this.#hear(record),
      );
      const record = await endOnRecord(this.#broker, this.#job);
      if (record === "unclear") this.#lookLater(pauseAfter(this.#unclearLooks++));
      else if (record === undefined) this.#lookLater(pauseAfter(this.#emptyLooks++));
      else this.#outcome.resolve(record);
    } catch (error) {
      if (!MillraceError.is(error) || HOPELESS.has(error.code)) this.#outcome.reject(error);
      else this.#lookLater();
    }
  }

  /**
   * After a reconnect old records are told too, so of a death it has to be asked whether it still
   * stands.
   */
  #hear(record: HistoryRecord): void {
    if (!isFinal(record)) return;
    const { createdAt, sequence } = this.#job;
    if (createdAt === undefined && sequence !== undefined) return this.#ask(record);
    // It may be a duplicate of that one, and then it is dropped without a word of its own.
    if (isOfAnother(record, this.#job)) return this.#lookLater();
    if (!isDeath(record)) return this.#outcome.resolve(record);
    this.#ask(record);
  }

  #ask(record: HistoryRecord): void {
    endOnRecord(this.#broker, this.#job, record).then(
      (end) => {
        if (end === "unclear") this.#lookLater();
        else if (end !== undefined) this.#outcome.resolve(end);
      },
      () => this.#lookLater(),
    );
  }

  #lookLater(afterMs = LOOK_AGAIN_MS): void {
    this.#again?.cancel();
    if (!this.#stopped) this.#again = this.#clock.setTimer(afterMs, () => this.#look());
  }

  #fail(code: ErrorCode, what: string): void {
    this.#outcome.reject(new MillraceError(code, `${what} while job ${this.#job.id} was awaited.`));
  }
}

function pauseAfter(looks: number): number {
  return Math.min(LOOK_AGAIN_MS * 2 ** looks, LONGEST_PAUSE_MS);
}

/**
 * The result in a job's final record.
 *
 * @throws MillraceError where the job did not succeed: its `code` is the recorded error's type
 *   where that is a code, else `handler-failed`, `expired` or `cancelled`; its `cause` is the
 *   recorded error
 */
export function resultOf(record: HistoryRecord): unknown {
  if (record.state !== "succeeded") throw failureOf(record);
  if (record.outputDropped === undefined) return record.output;
  const why =
    record.outputDropped === "too-large" ? "it was too large" : (record.reason ?? "no plain data");
  throw new MillraceError(
    record.outputDropped === "too-large" ? "payload-too-large" : "unserializable-payload",
    `Job ${record.id} succeeded, but its result was not kept: ${why}. ${record.outputDropped === "too-large" ? "Return less, such as the place where the result is stored." : "Return plain data."}`,
  );
}

function failureOf(record: HistoryRecord): MillraceError {
  const { id, error, attempts } = record;
  if (record.state === "cancelled")
    return new MillraceError(
      "cancelled",
      `Job ${id} was cancelled: ${record.reason ?? "no reason given"}`,
    );
  if (record.state === "expired")
    return new MillraceError("expired", `Job ${id} expired before it started.`);
  const spent = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
  return new MillraceError(
    deathCode(record),
    `Job ${id} is dead after ${spent} (${record.reason ?? "unknown reason"}): ${error?.message ?? "no error was recorded"}`,
    error === undefined ? {} : { cause: asError(error) },
  );
}

function deathCode({ reason, error }: HistoryRecord): ErrorCode {
  if (reason !== "attempts-exhausted" && isErrorCode(reason)) return reason;
  return isErrorCode(error?.type) ? error.type : "handler-failed";
}

/** The recorded error as an `Error`, so that a debugger shows the handler's own stack. */
function asError({ type, message, stack, fields }: RecordedError): Error {
  const error = new Error(message);
  error.name = type;
  if (stack !== undefined) error.stack = stack;
  if (fields !== undefined) giveFields(error, fields);
  return error;
}
