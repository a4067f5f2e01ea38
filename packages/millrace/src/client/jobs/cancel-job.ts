import {
  type Broker,
  cancellationKey,
  CANCELLATIONS_BUCKET,
  cancelReason,
  type Clock,
  type Duration,
  type HistoryRecord,
  MillraceError,
  optionNames,
  refuseUnknown,
  toMs,
  type WaitingJob,
  mustBe,
} from "@millrace/core";
import { endOnRecord, isFinal, isOfAnother } from "./results/end-on-record.ts";
import { awaitEnd } from "./results/job-result.ts";
import type { AwaitedJob } from "./results/awaited-job.ts";
import { isNewer } from "./job-status.ts";
import { waitWithin } from "../wait-within.ts";
import { LIMITS } from "../call-limits.ts";

/** Whether a cancellation waits for the job's end. */
export interface CancelOptions {
  /**
   * Wait until the job has been settled: for as long as it takes, or for this long at most; then
   * the state may still be `cancelling`. Default: false, which returns as soon as the cancellation
   * can't be lost any more. That is waited for in any case, so in an outage a call with `wait` may
   * reject later, with `request-timeout`: a `signal` ends it.
   */
  readonly wait?: boolean | Duration;
  /**
   * Ends the call: it rejects with the signal's reason. The job may be cancelled all the same;
   * cancelling again is safe.
   */
  readonly signal?: AbortSignal;
  /**
   * How long the call may take in all, an outage included. After that it rejects with
   * `request-timeout`, and the job may be cancelled all the same.
   */
  readonly timeout?: Duration;
}

const NAMES = optionNames<CancelOptions>({ wait: true, ...LIMITS });

/**
 * What became of a cancellation.
 *
 * `cancelling`: no restart and no outage makes it forgotten. A running handler's signal is aborted
 * within milliseconds; a job that waits is settled when a node reaches it, and is not run. It may
 * still succeed where its handler finishes first. `cancelled`: it is settled. Any other state: the
 * job had ended before, or did meanwhile.
 */
export interface CancelResult {
  readonly id: string;
  readonly queue: string;
  readonly state: "cancelling" | Exclude<HistoryRecord["state"], "requeued">;
}

/** A job that is to be cancelled. */
export interface CancelledJob extends AwaitedJob {
  /**
   * Of the one that was enqueued just now, whose place and time are known and need not be looked
   * up.
   */
  readonly createdAt?: number;
  /**
   * Whoever cancels many lets those in that are blocked at gates, once all cancellations are
   * stored: default is to look for each, through all that is blocked.
   */
  readonly letInByCaller?: true;
  /** The revision of the cancellation that was stored for it. Default is to store one. */
  readonly stored?: number;
}

const WHO_RUNS_MS = 400;
/** Between two places a job can be missed in both. */
const LOOKS = 3;
const PAUSE_MS = 100;

/**
 * Cancels a job, in whatever state it is.
 *
 * @throws MillraceError `job-not-found`; `request-timeout` and its kin: then it may be cancelled
 *   all the same, and cancelling again is safe
 */
export async function cancelJob(
  broker: Broker,
  clock: Clock,
  job: CancelledJob,
  reason: string | undefined,
  options: CancelOptions,
): Promise<CancelResult> {
  refuseUnknown(options, NAMES, "cancel()");
  if (reason !== undefined && typeof reason !== "string")
    throw mustBe("reason", "a text, and the options come after it", reason);
  const { wait = false, signal } = options;
  const waitMs = typeof wait === "boolean" ? undefined : toMs(wait, "wait");
  const since = clock.monotonic();
  const { id, queue } = job;
  const resultOf = (state: CancelResult["state"]): CancelResult => ({ id, queue, state });
  return waitWithin({ clock, signal }, async (over) => {
    const ended = await askForEnd(broker, clock, { job, reason, over });
    if (ended !== undefined) return resultOf(ended);
    if (wait === false) return resultOf("cancelling");
    const leftMs =
      waitMs === undefined ? waitMs : Math.max(0, waitMs - (clock.monotonic() - since));
    try {
      return resultOf(stateOf(await awaitEnd(broker, job, leftMs, clock, over)));
    } catch (error) {
      if (MillraceError.is(error, "result-timeout")) return resultOf("cancelling");
      throw error;
    }
  });
}

interface Cancelling {
  readonly job: CancelledJob;
  readonly reason: string | undefined;
  /** Nobody waits for it any more: what has not begun does not begin. */
  readonly over: AbortSignal;
}

/**
 * Stores the cancellation, and sees to it that a job that waits is settled soon.
 *
 * @returns how the job had ended, or ended meanwhile
 */
async function askForEnd(
  broker: Broker,
  clock: Clock,
  { job, reason, over }: Cancelling,
): Promise<Exclude<HistoryRecord["state"], "requeued"> | undefined> {
  const { id, queue, createdAt } = job;
  const met = createdAt === undefined ? await meet(broker, clock, job) : { createdAt };
  if ("ended" in met) return met.ended;

  const documents = await broker.documents(CANCELLATIONS_BUCKET);
  over.throwIfAborted();
  // A key of its own: a cancellation of another job of the id stays as it is.
  const key = cancellationKey(job, met.createdAt);
  const cancellation = {
    reason: cancelReason(reason),
    ...(met.createdAt === undefined ? {} : { createdAt: met.createdAt }),
    at: clock.now(),
  };
  const revision = job.stored ?? (await documents.put(key, cancellation));

  const ended = await endedSince(broker, job, met);
  if (ended !== undefined) {
    try {
      await documents.remove(key, revision);
    } catch (error) {
      // The node that settled it was faster, or somebody else cancels too.
      if (!MillraceError.is(error, "revision-conflict")) throw error;
    }
    return ended;
  }
  // A job that waits for its time would be settled no sooner than that.
  const brought = await broker.delayed.move(id, queue, "now", { cancellation });
  // Nor one that is blocked at a gate, before it is let in.
  if (!brought && job.letInByCaller !== true)
    await broker.blocked.releaseJob(queue, id, cancellation);
  return undefined;
}

type Met =
  | { readonly ended: Exclude<HistoryRecord["state"], "requeued"> }
  | {
      readonly createdAt: number | undefined;
      /** Whether a final record is of this very job, or of an earlier one under its id. */
      readonly isOver?: (record: HistoryRecord) => boolean;
    };

/**
 * Looks for the job where it runs and where it waits at the same time: the first answer counts. A
 * job that runs lies in its queue until it is settled. So where nothing waits nobody is waited for
 * who may run it: of a job that has ended no node would answer, and silence takes as long as is
 * allowed.
 */
async function meet(broker: Broker, clock: Clock, job: CancelledJob): Promise<Met> {
  const { id, queue, closesBatch, onRecordSince } = job;
  const isOfAny = closesBatch === undefined && onRecordSince === undefined;
  const where = (waiting: WaitingJob): boolean => isOwn(waiting, job);
  for (let look = 1; ; look += 1) {
    // Who runs it says neither of which batch it is the callback nor when it was stored.
    const running = isOfAny
      ? broker.whoRuns(id, { timeoutMs: WHO_RUNS_MS, queue })
      : Promise.resolve(undefined);
    const waiting = broker.findWaiting(id, { queue, ...(isOfAny ? {} : { where }) });
    const first = await firstFound(running, waiting);
    if (first !== undefined) {
      const createdAt = "envelope" in first ? first.envelope.createdAt : first.createdAt;
      return {
        createdAt,
        isOver: (record) =>
          "envelope" in first
            ? !isNewer(record, undefined, first)
            : !isNewer(record, first, undefined),
      };
    }
    const records = await broker.history.read(job);
    const last = records.findLast((record) => isOfAny || !isOfAnother(record, job));
    if (last !== undefined && isFinal(last)) return { ended: stateOf(last) };
    // Its last record sent it on, so it must be somewhere.
    if (last === undefined || look === LOOKS)
      throw new MillraceError(
        "job-not-found",
        `No job ${id} waits or runs in queue ${queue}, and none that ended is in the history.`,
      );
    await new Promise<void>((resolve) => void clock.setTimer(PAUSE_MS, resolve));
  }
}

/** Another job may have its id by now: a batch's own, or one that was stored later. */
function isOwn(
  { envelope, storedAt }: WaitingJob,
  { closesBatch, onRecordSince }: CancelledJob,
): boolean {
  if (closesBatch !== undefined && envelope.closes?.id !== closesBatch) return false;
  return onRecordSince === undefined || (envelope.firstStoredAt ?? storedAt) <= onRecordSince;
}

async function endedSince(
  broker: Broker,
  job: CancelledJob,
  met: Exclude<Met, { readonly ended: unknown }>,
): Promise<Exclude<HistoryRecord["state"], "requeued"> | undefined> {
  const last = await endOnRecord(broker, job);
  if (last === undefined || last === "unclear" || met.isOver?.(last) === false) return undefined;
  return stateOf(last);
}

function stateOf({ state }: HistoryRecord): Exclude<HistoryRecord["state"], "requeued"> {
  if (state !== "requeued") return state;
  throw new MillraceError("illegal-transition", "A job that was requeued has not ended.");
}

/**
 * What the second finds, or the first where that is sooner; nothing, as soon as the second finds
 * nothing. Rejects as the first that does.
 */
function firstFound<A, B>(
  a: Promise<A | undefined>,
  b: Promise<B | undefined>,
): Promise<A | B | undefined> {
  return new Promise((resolve, reject) => {
    a.then((value) => {
      if (value !== undefined) resolve(value);
    }, reject);
    b.then(resolve, reject);
  });
}
