import {
  type Broker,
  optionNames,
  refuseUnknown,
  requireFlag,
  requireId,
  requireQueueName,
} from "@millrace/core";
import type { Millrace } from "../millrace.ts";
import type { CallHost } from "../enqueue/enqueue-calls.ts";
import { cancelJob } from "./cancel-job.ts";
import { jobHandle } from "./job-handle.ts";
import { findJob } from "./job-status.ts";
import { type SentSignal, signalJob, type SignalOptions } from "./signal-job.ts";
import { among, LIMITS } from "../call-limits.ts";

const JOB_NAMES = optionNames<NonNullable<Parameters<Millrace["job"]>[1]>>({
  ...{ queue: true, hold: true, payload: true, ...LIMITS },
});
const CANCEL_NAMES = optionNames<NonNullable<Parameters<Millrace["cancel"]>[1]>>({
  ...{ queue: true, reason: true, wait: true, ...LIMITS },
});
const SIGNAL_NAMES = optionNames<SignalOptions>({ id: true, ...LIMITS });

/** Where a job is. Async, so that a bad id rejects like every other error. */
export function lookUpJob(broker: Broker, now: () => number): Millrace["job"] {
  return async (id, options = {}) => {
    refuseUnknown(options, JOB_NAMES, "job()");
    const { queue, hold = false, payload = false } = options;
    requireFlag(hold, "hold");
    requireFlag(payload, "payload");
    const where = queue === undefined ? queue : requireQueueName(queue);
    return findJob(broker, requireId(id), where, now, { hold, payload });
  };
}

/** The calls of a client that are about one job. */
export function jobCalls({
  broker,
  clock,
  newId,
  calls,
}: CallHost): Pick<Millrace, "job" | "cancel" | "signal" | "handle"> {
  const now = (): number => clock.now();
  const each = calls.each<Pick<Millrace, "job" | "cancel" | "signal">>(
    "",
    {
      job: lookUpJob(broker, now),
      cancel: async (id, given = {}) => {
        refuseUnknown(given, CANCEL_NAMES, "cancel()");
        const { queue, reason, ...options } = given;
        // Where the queue isn't known the job has to be found in one first.
        const where = queue ?? (await findJob(broker, requireId(id), undefined, now)).queue;
        const job = { id: requireId(id), queue: requireQueueName(where) };
        return cancelJob(broker, clock, job, reason, options);
      },
      signal: async (
        job: SentSignal["job"],
        id: string,
        signal: SentSignal["signal"],
        value?: unknown,
        options: SignalOptions = {},
      ) => {
        refuseUnknown(options, SIGNAL_NAMES, "signal()");
        const { id: signalId = newId() } = options;
        return signalJob(broker, { job, id, signal, value, signalId });
      },
    },
    { job: among(1), cancel: among(1), signal: among(4) },
  );
  return {
    job: each.job,
    cancel: each.cancel,
    signal: each.signal,
    handle: (id, queue) => {
      const job = { id: requireId(id), queue: requireQueueName(queue) };
      return calls.handle(jobHandle(broker, clock, { ...job, duplicate: false, byId: true }));
    },
  };
}
