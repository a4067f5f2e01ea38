import {
  type Broker,
  changeControls,
  type Clock,
  type ControlMark,
  CONTROLS_BUCKET,
  defined,
  type Duration,
  MAX_REASON,
  MillraceError,
  optionNames,
  type QueueControls,
  type QueueSettings,
  type RateLimit,
  refuseUnknown,
  requireQueueName,
  requireQueueSettings,
  toMs,
} from "@millrace/core";
import { type PurgeOptions, purgeQueue, type PurgeResult } from "@millrace/runtime";
import { type DrainOptions, drainQueue, type DrainResult } from "./queue-drain.ts";
import { limitsOf, type QueueLimits } from "./queue-limits.ts";
import { controlsOf, listQueues, type QueueStatus, queueStatus } from "./queue-status.ts";
import { type WaitTime, waitWithin } from "../wait-within.ts";
import { whoAmI } from "../who-am-i.ts";
import { alone, among, type CallLimits, kept, LIMITS, type LimitsPlaces } from "../call-limits.ts";

/** Why something is done and by whom: shown wherever the queue is. */
export interface ControlNote {
  readonly reason?: string;
  /** Default: the user and the host of this process. */
  readonly by?: string;
}

/** How a queue is purged. `timeout` and `signal` end it early; what was cancelled stays so. */
export type QueuePurgeOptions = Omit<PurgeOptions, "broker" | "clock" | "queue"> & CallLimits;

/** `{ limit: 100, per: "1s" }`: so many starts in each period, and up to so many at once. */
export interface RateOption {
  readonly limit: number;
  readonly per: Duration;
}

/** What is left out stays; null takes away what was set, and what the code says counts again. */
export interface QueueChange extends QueueSettings {
  /** Jobs of the queue that run at once, over all nodes. */
  readonly concurrency?: number | null;
  /** Jobs of the queue that start, over all nodes. */
  readonly rate?: RateOption | null;
  /** For the jobs of one key, instead of what their definition says. */
  readonly perKey?: { readonly concurrency?: number | null; readonly rate?: RateOption | null };
  /**
   * Other queues that jobs of this queue's producers may be followed by jobs in (`next`). Where
   * nothing is set: what nodes say, else none.
   */
  readonly sendsTo?: readonly string[] | null;
  /**
   * Jobs of its producers that may wait for a later start, from 0; one too many is a dead letter
   * (`parked-full`). As many may be blocked at gates before the queue fills. Where nothing is set:
   * what nodes say, else `maxJobs`, else 1,000,000.
   */
  readonly maxParked?: number | null;
}

const CHANGE_NAMES = optionNames<QueueChange>({
  ...{ maxJobs: true, maxBytes: true, dedupeWindowMs: true, replicas: true },
  ...{ concurrency: true, rate: true, perKey: true, sendsTo: true, maxParked: true },
});
const PER_KEY_NAMES = optionNames<NonNullable<QueueChange["perKey"]>>({
  ...{ concurrency: true, rate: true },
});
const RATE_NAMES = optionNames<RateOption>({ limit: true, per: true });

/**
 * The queues of a namespace, and what an operator does to them. What is set here holds over all
 * nodes and restarts.
 */
export interface Queues {
  /**
   * Creates the queue, or brings its settings up to date: a producer may start before any node
   * does. What is not given stays as it is. Idempotent. Needs the rights of a node.
   *
   * @throws MillraceError `invalid-name`, `permission-denied`, `jetstream-failed` …
   * @example
   * await millrace.queues.ensure("mail", { maxJobs: 100_000 });
   */
  ensure(queue: string, settings?: QueueSettings, limits?: CallLimits): Promise<void>;
  /**
   * Removes the queue and what waits in it, is delayed or blocked. Dead letters and history stay.
   * Jobs that run go on: an end is recorded, and a retry goes to the queue if it is made anew. Else
   * it has nowhere to go, and becomes a dead letter (`unsettled`) after some leases. Idempotent.
   *
   * @throws MillraceError `invalid-name`
   */
  remove(queue: string, limits?: CallLimits): Promise<void>;
  list(limits?: CallLimits): Promise<readonly QueueStatus[]>;
  /** @throws MillraceError `queue-not-found` */
  snapshot(queue: string, limits?: CallLimits): Promise<QueueStatus>;
  /** What is set for the queue; empty where nothing is. */
  controls(queue: string, limits?: CallLimits): Promise<QueueControls>;
  /**
   * Nothing of the queue is pulled from now on, within moments of the call. What runs goes on;
   * delayed jobs become due and wait.
   *
   * @throws MillraceError `queue-not-found`
   */
  pause(queue: string, note?: ControlNote & CallLimits): Promise<QueueControls>;
  /** Ends a pause, and opens a queue that was closed. */
  resume(queue: string, limits?: CallLimits): Promise<QueueControls>;
  /**
   * Closes the queue to producers, whatever client they use, and waits until everything in it has
   * ended. It stays closed until `resume`.
   *
   * @throws MillraceError `queue-not-found`, `invalid-option` where the queue is paused
   * @example
   * const options = { timeout: "10m", reason: "moving to another cluster" };
   * const { drained } = await millrace.queues.drain("mail", options);
   */
  drain(queue: string, options?: DrainOptions): Promise<DrainResult>;
  /**
   * Cancels what waits in the queue, with a record of each for the reason `purged`; never what
   * runs. Meanwhile the queue is paused for all nodes, and afterwards as it was.
   *
   * @throws MillraceError `queue-not-found`; the signal's reason, or `request-timeout`, where the
   *   server does not answer
   */
  purge(queue: string, options?: QueuePurgeOptions): Promise<PurgeResult>;
  /**
   * Sets limits.
   *
   * @throws MillraceError `queue-not-found`, `invalid-option`, `invalid-duration`
   * @example
   * await millrace.queues.set("mail", { concurrency: 20, rate: { limit: 100, per: "1s" } });
   */
  set(queue: string, change: QueueChange, limits?: CallLimits): Promise<QueueControls>;
  /** Which limits count over all nodes, and who uses them. For people: it reads all locks. */
  limits(queue?: string, limits?: CallLimits): Promise<readonly QueueLimits[]>;
}

const NOTE_NAMES = optionNames<ControlNote & CallLimits>({ reason: true, by: true, ...LIMITS });
export const QUEUES_LIMITS: LimitsPlaces<Queues> = {
  ...{ ensure: alone(2), remove: alone(1), list: alone(0), snapshot: alone(1) },
  ...{ controls: alone(1), pause: among(1), resume: alone(1), drain: kept(1), purge: kept(1) },
  ...{ set: alone(2), limits: alone(1) },
};
/** A purge that is told to stop has its own node to stop, and the queue to put back. */
const PUT_BACK_MS = 30_000;
const PURGE_NAMES = optionNames<QueuePurgeOptions>({
  ...{ delayed: true, by: true, name: true, log: true, onProgress: true, ...LIMITS },
});

export function queuesOf(broker: Broker, clock: Clock): Queues {
  const change = async (
    queue: string,
    wanted: Parameters<typeof changeControls>[2],
  ): Promise<QueueControls> =>
    changeControls(await broker.documents(CONTROLS_BUCKET), queue, wanted);
  /** A name that was mistyped must not be paused in the place of the one that was meant. */
  const requireQueue = async (queue: string): Promise<void> =>
    void (await broker.queues.snapshot(requireQueueName(queue)));
  const mark = (note: ControlNote): ControlMark => {
    const { reason, by = whoAmI() } = note;
    const why = reason === undefined ? {} : { reason: reason.slice(0, MAX_REASON) };
    return { since: clock.now(), by, ...why };
  };

  return {
    ensure: (queue, settings) => broker.queues.ensure(queue, settings),
    remove: (queue) => broker.queues.remove(queue),
    list: () => listQueues(broker),
    snapshot: async (queue) => queueStatus(broker, requireQueueName(queue)),
    controls: async (queue) => controlsOf(broker, requireQueueName(queue)),
    async pause(queue, note = {}) {
      refuseUnknown(note, NOTE_NAMES, "queues.pause()");
      await requireQueue(queue);
      return change(queue, { paused: mark(note) });
    },
    async resume(queue) {
      await requireQueue(queue);
      await broker.queues.setIntake(queue, "open");
      const controls = await change(queue, { paused: null, closed: null });
      // A drain that read its mark before may have closed it meanwhile.
      if ((await broker.queues.snapshot(queue)).intake === "closed")
        await broker.queues.setIntake(queue, "open");
      return controls;
    },
    drain: async (queue, options = {}) =>
      drainQueue(broker, clock, requireQueueName(queue), options, () => mark(options)),
    purge: async (queue, options = {}) => {
      refuseUnknown(options, PURGE_NAMES, "queues.purge()");
      const { timeout, signal, ...rest } = options;
      const time = timeout === undefined ? undefined : purgeTime(queue, toMs(timeout, "timeout"));
      let end: AbortSignal | undefined;
      try {
        // Who goes before it has put the queue back leaves it paused for all.
        return await waitWithin({ clock, signal, time, graceMs: PUT_BACK_MS }, (over) => {
          end = over;
          return purgeQueue({
            ...{ by: whoAmI(), ...rest, signal: over },
            ...{ broker, clock, queue: requireQueueName(queue) },
          });
        });
      } catch (error) {
        // What came of the putting back in an outage is not what was waited for.
        end?.throwIfAborted();
        throw error;
      }
    },
    async set(queue, wanted) {
      refuseUnknown(wanted, CHANGE_NAMES, "a queue");
      const { concurrency, rate, perKey, sendsTo, maxParked, ...settings } = wanted;
      // Before anything is changed: half of a change would be told as none.
      requireQueueSettings(settings);
      await requireQueue(queue);
      if (perKey !== undefined) refuseUnknown(perKey, PER_KEY_NAMES, "perKey", "perKey");
      const controls = await change(queue, {
        ...limitsChange({ concurrency, rate }, ""),
        ...(perKey === undefined ? {} : { perKey: limitsChange(perKey, "perKey.") }),
        ...defined({ sendsTo, maxParked }),
      });
      if (Object.keys(settings).length > 0) await broker.queues.ensure(queue, settings);
      return controls;
    },
    limits: async (queue) =>
      limitsOf(broker, queue === undefined ? undefined : requireQueueName(queue)),
  };
}

function purgeTime(queue: string, ms: number): WaitTime {
  const late = `The server did not answer in the time given to the purge of ${queue}: the queue may be paused. Purge it again, or resume it.`;
  return { ms, tooLate: () => new MillraceError("request-timeout", late) };
}

interface LimitsChange {
  readonly concurrency?: number | null;
  readonly rate?: RateLimit | null;
}

function limitsChange(
  {
    concurrency,
    rate,
  }: {
    readonly concurrency?: number | null | undefined;
    readonly rate?: RateOption | null | undefined;
  },
  prefix: string,
): LimitsChange {
  return {
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(rate === undefined ? {} : { rate: rateLimit(rate, `${prefix}rate`) }),
  };
}

function rateLimit(rate: RateOption | null, field: string): RateLimit | null {
  if (rate === null) return null;
  if (typeof rate !== "object")
    throw new MillraceError("invalid-option", `${field}: must be { limit, per } or null.`);
  refuseUnknown(rate, RATE_NAMES, "a rate", field);
  return { limit: rate.limit, perMs: toMs(rate.per, `${field}.per`) };
}
