import {
  type Broker,
  type Clock,
  type Duration,
  type EnqueuedJob,
  toMs,
  type UniqueConflict,
} from "@millrace/core";
import { awaitResult } from "./job-result.ts";
import { findJob, type JobStatus } from "./job-status.ts";

export interface ResultOptions {
  /** How long to wait. Default: until the job ends. */
  readonly timeout?: Duration;
}

/** One job, for whoever enqueued it or knows its id. */
export interface JobHandle<Output = unknown> {
  readonly id: string;
  readonly queue: string;
  /** The id was already there when it was enqueued: nothing new was stored. */
  readonly duplicate: boolean;
  /**
   * Set where the job's unique key was held by another. `kept`: nothing was stored, and this is the holder's handle. `replaced`: the other gives way.
   */
  readonly conflict?: UniqueConflict;
  /** @throws MillraceError `job-not-found` */
  status(): Promise<JobStatus>;
  /**
   * What the handler returned. Waits until the job has ended, over reconnects.
   *
   * @throws MillraceError where the job is dead, expired or cancelled (`cause`: the recorded error); `result-timeout`
   */
  result(options?: ResultOptions): Promise<Output>;
}

/** The type of the output is the definition's promise, which the node checked against the output schema where there is one. */
export function jobHandle<Output>(
  broker: Broker,
  clock: Clock,
  job: EnqueuedJob,
): JobHandle<Output> {
  const { id, queue, duplicate, conflict } = job;
  return {
    id,
    queue,
    duplicate,
    ...(conflict === undefined ? {} : { conflict }),
    status: () => findJob(broker, id, queue, () => clock.now()),
    result: async ({ timeout } = {}) => {
      const timeoutMs = timeout === undefined ? undefined : toMs(timeout, "timeout");
      return (await awaitResult(broker, { id, queue }, timeoutMs, clock)) as Output;
    },
  };
}
