import {
  type Broker,
  type Clock,
  endMark,
  type HistoryRecord,
  type JobRef,
  MillraceError,
  refuseUnknown,
  toMs,
} from "@millrace/core";
import { cancelJob } from "../jobs/cancel-job.ts";
import { endOnRecord } from "../jobs/results/end-on-record.ts";
import {
  type HandledJob,
  type JobHandle,
  jobHandle,
  RESULT_NAMES,
  type ResultOptions,
} from "../jobs/job-handle.ts";
import { awaitEnd, resultOf } from "../jobs/results/job-result.ts";

type WaitOptions = Pick<ResultOptions, "timeout" | "signal">;

/** The jobs of a chain, for who has enqueued it. */
export interface ChainJobs {
  readonly handles: readonly JobHandle[];
  /** What the last of them gave. */
  readonly result: (options: WaitOptions) => Promise<unknown>;
}

/**
 * The jobs of a chain, each known by the end of the one before it: another chain may have, or have
 * had, jobs of the same ids.
 */
export function chainJobs(
  broker: Broker,
  clock: Clock,
  first: HandledJob,
  later: readonly JobRef[],
): ChainJobs {
  const chain = [
    first,
    ...later.map((ref): HandledJob => ({ ...ref, duplicate: first.duplicate })),
  ];
  const resultUpTo = async (place: number, { timeout, signal }: WaitOptions): Promise<unknown> => {
    // Of the whole chain, and not of each job anew.
    const until = timeout === undefined ? undefined : clock.now() + toMs(timeout, "timeout");
    let job = first;
    // One after the other: a job that is dead has none after it, and the last one would be waited
    // for in vain.
    for (const next of chain.slice(1, place + 1)) {
      const end = await awaitEnd(broker, job, leftUntil(clock, until), clock, signal);
      resultOf(end);
      job = after(end, next);
    }
    return resultOf(await awaitEnd(broker, job, leftUntil(clock, until), clock, signal));
  };
  /** @throws MillraceError `job-not-found` where its turn has not come */
  const known = async (place: number): Promise<HandledJob> => {
    let job = first;
    for (const next of chain.slice(1, place + 1)) {
      const end = await endOnRecord(broker, job);
      if (end !== undefined && end !== "unclear" && end.state === "succeeded") {
        job = after(end, next);
        continue;
      }
      const { id, queue } = job;
      const isOpen = end !== undefined || (await broker.findWaiting(id, { queue })) !== undefined;
      if (isOpen) throw notBegun(next, job);
      // The history has forgotten it, so its turn may have come.
      job = next;
    }
    return job;
  };
  const handles = chain.map((job, place): JobHandle => {
    const handle = jobHandle<unknown>(broker, clock, job);
    if (place === 0) return handle;
    return {
      ...handle,
      result: async (options = {}) => {
        refuseUnknown(options, RESULT_NAMES, "result()");
        return resultUpTo(place, options);
      },
      cancel: async (reason, options = {}) =>
        cancelJob(broker, clock, await known(place), reason, options),
    };
  });
  return { handles, result: (options) => resultUpTo(later.length, options) };
}

/** The job that follows an end: `followingJob` makes it so. */
function after(end: HistoryRecord, job: HandledJob): HandledJob {
  return { ...job, createdAt: end.at, unkeyed: endMark(end) };
}

function leftUntil(clock: Clock, until: number | undefined): number | undefined {
  return until === undefined ? undefined : Math.max(0, until - clock.now());
}

function notBegun({ id }: JobRef, before: JobRef): MillraceError {
  return new MillraceError(
    "job-not-found",
    `The job ${id} of the chain is not there: ${before.id} of the queue ${before.queue}, which it follows, has not succeeded.`,
  );
}
