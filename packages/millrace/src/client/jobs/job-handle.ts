import {
  type Broker,
  type Clock,
  type Duration,
  optionNames,
  type ProgressReport,
  refuseUnknown,
  toMs,
  type UniqueConflict,
} from "@millrace/core";
import { cancelJob, type CancelOptions, type CancelResult } from "./cancel-job.ts";
import { type JobLogEntry, type JobLogsOptions, readJobLogs } from "./job-logs.ts";
import { followProgress } from "./job-progress.ts";
import { APPEARS_WITHIN_MS } from "../appearance.ts";
import { awaitResult } from "./results/job-result.ts";
import type { AwaitedJob } from "./results/awaited-job.ts";
import { rescheduleJob, type RescheduleOptions, type RescheduleResult } from "./reschedule-job.ts";
import { findJob, type JobStatus } from "./job-status.ts";
import { type CallLimits } from "../call-limits.ts";

/** How long to wait for a job's result, and what ends the waiting. */
export interface ResultOptions {
  /** How long to wait. Default: until the job ends. */
  readonly timeout?: Duration;
  /** Ends the waiting: it rejects with the signal's reason. The job goes on. */
  readonly signal?: AbortSignal;
  /**
   * How long a job that nobody knows may take to appear. For handles that were made by an id;
   * without a connection the time does not run. Default 5 s.
   */
  readonly appearsWithin?: Duration;
}

export const RESULT_NAMES = optionNames<ResultOptions>({
  ...{ timeout: true, signal: true, appearsWithin: true },
});
type ProgressOptions = Pick<ResultOptions, "signal" | "appearsWithin">;
type LogsOptions = JobLogsOptions & Pick<ResultOptions, "appearsWithin">;
const LOGS_NAMES = optionNames<LogsOptions>({
  ...{ follow: true, signal: true, appearsWithin: true },
});
const PROGRESS_NAMES = optionNames<ProgressOptions>({ signal: true, appearsWithin: true });

/** One job, for whoever enqueued it or knows its id. */
export interface JobHandle<Output = unknown> {
  readonly id: string;
  readonly queue: string;
  /** The id was already there when it was enqueued: nothing new was stored. */
  readonly duplicate: boolean;
  /**
   * Set where the job's unique key was held by another. `kept`: nothing was stored, and this is the
   * holder's handle. `replaced`: the other gives way.
   */
  readonly conflict?: UniqueConflict;
  /** @throws MillraceError `job-not-found` */
  status(limits?: CallLimits): Promise<JobStatus>;
  /**
   * What the handler returned. Waits until the job has ended, over reconnects.
   *
   * @throws MillraceError where the job is dead, expired or cancelled (`cause`: the recorded
   *   error); `result-timeout`; `job-not-found` where nobody knows it, see `appearsWithin`
   */
  result(options?: ResultOptions): Promise<Output>;
  /**
   * Ends the job before its time: a queued, delayed or blocked one is not run, a running one's
   * signal is aborted, from whichever process. Resolves when that can't be lost any more; a job
   * that has ended already is left as it is, and its state returned.
   *
   * @param reason for the handler's signal, the history and `result()`
   * @throws MillraceError `job-not-found`; `request-timeout` and its kin: cancelling again is safe
   * @example
   * const { state } = await handle.cancel("user left", { wait: "10s" });
   */
  cancel(reason?: string, options?: CancelOptions): Promise<CancelResult>;
  /**
   * What the job's handler reports with `progress()`, from the latest on until the job has ended;
   * over retries and reconnects. A reader that is slower than the handler is given the latest only.
   *
   * @param options.signal ends the reading, which rejects with the signal's reason
   * @throws MillraceError `connection-closed`; `job-not-found` as `result()`
   * @example
   * for await (const { value, note } of handle.progress()) bar.show(value, note);
   */
  progress(options?: ProgressOptions): AsyncIterable<ProgressReport>;
  /**
   * What the job's handlers logged, where nodes keep it (`jobLogs`): of every attempt, in the order
   * in which it was written. With `follow` until the job has ended, over retries and reconnects.
   *
   * @param options.signal ends the reading, which rejects with the signal's reason
   * @throws MillraceError `connection-closed`; with `follow` also `job-not-found` as `result()`
   * @example
   * for await (const { level, message } of handle.logs({ follow: true })) print(level, message);
   */
  logs(options?: LogsOptions): AsyncIterable<JobLogEntry>;
  /**
   * Gives a job that waits for its time another one. It stays the same job; an expiry stays as it
   * was.
   *
   * @throws MillraceError `not-delayed` where it does not wait (any more, or not yet: a node has to
   *   see it first), or is due within two seconds; `job-not-found`, `invalid-option`,
   *   `past-not-before`
   * @example
   * await handle.reschedule({ delay: "1h" });
   */
  reschedule(when: RescheduleOptions, limits?: CallLimits): Promise<RescheduleResult>;
}

/** A job as a handle knows it. */
export interface HandledJob {
  readonly id: string;
  readonly queue: string;
  readonly duplicate: boolean;
  readonly conflict?: UniqueConflict;
  /** Its place in its queue, where it was enqueued through this handle's client. */
  readonly sequence?: number;
  /** Of the job that was stored; unknown where another was there before. */
  readonly createdAt?: number;
  /** Of the caller's own, where another was there before: see `AwaitedJob`. */
  readonly ownCreatedAt?: number;
  /** Of one that was on record before: something of it was stored then, by the broker's clock. */
  readonly onRecordSince?: number;
  /** Of a job that follows another: see `AwaitedJob`. */
  readonly unkeyed?: number;
  /** Of a batch's callback: the batch. */
  readonly closesBatch?: string;
  /** Known by its id alone: nobody confirmed that it was stored. */
  readonly byId?: true;
}

/**
 * The type of the output is the definition's promise, which the node checked against the output
 * schema where there is one.
 */
export function jobHandle<Output>(
  broker: Broker,
  clock: Clock,
  job: HandledJob,
): JobHandle<Output> {
  const { id, queue, duplicate, conflict } = job;
  const awaited = (appearsWithin: Duration | undefined): AwaitedJob =>
    // A producer that died may have claimed the key for a job that it never stored.
    job.byId === true || conflict?.kind === "kept"
      ? { ...job, appearsWithinMs: toMs(appearsWithin ?? APPEARS_WITHIN_MS, "appearsWithin") }
      : job;
  return {
    id,
    queue,
    duplicate,
    ...(conflict === undefined ? {} : { conflict }),
    status: () => findJob(broker, id, queue, () => clock.now()),
    result: async (options = {}) => {
      refuseUnknown(options, RESULT_NAMES, "result()");
      const { timeout, signal, appearsWithin } = options;
      const timeoutMs = timeout === undefined ? undefined : toMs(timeout, "timeout");
      return (await awaitResult(
        broker,
        awaited(appearsWithin),
        timeoutMs,
        clock,
        signal,
      )) as Output;
    },
    cancel: (reason, options = {}) => cancelJob(broker, clock, job, reason, options),
    progress: (options = {}) => {
      refuseUnknown(options, PROGRESS_NAMES, "progress()");
      const { signal, appearsWithin } = options;
      return followProgress(broker, awaited(appearsWithin), clock, signal);
    },
    logs: (given = {}) => {
      refuseUnknown(given, LOGS_NAMES, "logs()");
      const { appearsWithin, ...options } = given;
      return readJobLogs(broker, awaited(appearsWithin), clock, options);
    },
    reschedule: (when) => rescheduleJob(broker, clock, job, when),
  };
}
