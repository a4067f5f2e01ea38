import {
  type Broker,
  type Clock,
  type Duration,
  type HistoryRecord,
  mustBe,
  optionNames,
  refuseUnknown,
  requireCount,
  requireJobName,
  requireQueueName,
  toMs,
} from "@millrace/core";
import { Turns } from "../../filter/turns.ts";
import { snapshotsOf } from "../queues/snapshots.ts";
import type { Mask } from "@millrace/telemetry/masking";
import type { Completion } from "../../filter/complete-filter.ts";
import { completeLive } from "./searching/complete-live.ts";
import { findLive, type FoundLiveJobs } from "./find-live.ts";
import {
  EVERY_LIVE_JOB,
  type LiveJobTest,
  parseJobFilter,
  parseLiveJobFilter,
} from "./job-filter.ts";
import { LIVE_STATES, type LiveJob, liveJobs, type LiveState } from "./live-jobs.ts";
import type { JobQuery, JobStatus } from "./job-status.ts";
import { oldestJob } from "./searching/oldest-job.ts";
import { type RecordedState, type WatchQuery, watchRecords } from "./results/watch-records.ts";
import { alone, among, type CallLimits, LIMITS, type LimitsPlaces } from "../call-limits.ts";

/** Which jobs to look at. */
export interface JobsQuery extends CallLimits {
  readonly queue?: string;
  /** How many to look at, from 1 to 10,000. Default 50. */
  readonly limit?: number;
  /** What has to hold: `name=mail.* error~timeout age<2h`. See `docs/filters.md`. */
  readonly where?: string;
}

/** Which jobs that have not ended are looked for. */
export interface LiveJobSearch extends CallLimits {
  readonly state: LiveState;
  readonly queue?: string;
  /** What has to hold: `payload.customer:42 tag:vip age>1h`. See `docs/filters.md`. */
  readonly where?: string;
  /** How many to find, from 1 to 10,000. Default 50. */
  readonly limit?: number;
  /** How many to look at, from 1 to 1,000,000. Default 100,000. */
  readonly most?: number;
  /** How long to look. Default: for as long as it takes. */
  readonly within?: Duration;
}

/** Of which jobs a filter is completed. */
export interface LiveCompletion extends CallLimits {
  readonly state: LiveState;
  readonly queue?: string;
}

/** The jobs of a namespace, for looking at them. */
export interface Jobs {
  /** As `millrace.job`. */
  get(id: string, options?: JobQuery & CallLimits): Promise<JobStatus>;
  /**
   * Jobs that have not ended and are in this state now. A look at things in motion: a job may have
   * moved on.
   *
   * @throws MillraceError `queue-not-found`, `invalid-option`
   * @example
   * const running = await millrace.jobs.list({ state: "running", queue: "mail" });
   */
  list(query: JobsQuery & { readonly state: LiveState }): Promise<readonly LiveJob[]>;
  /**
   * The latest record of each of the jobs that were settled last, newest first. With a state: those
   * among them whose latest record has it.
   */
  list(query?: RecordedQuery): Promise<readonly HistoryRecord[]>;
  /**
   * Looks through the jobs that are in a state now, the first in the queue first, until enough fit
   * or enough were looked at, and says how far it has looked.
   *
   * @throws MillraceError `invalid-filter`, `queue-not-found`, `invalid-option`
   * @example
   * const where = "payload.customer:42 tag:vip";
   * const { jobs, looked, more } = await millrace.jobs.search({ state: "queued", where });
   */
  search(query: LiveJobSearch): Promise<FoundLiveJobs>;
  /**
   * How a filter of jobs in a state may go on that ends so far: by the fields that such jobs have,
   * and by what stands in the first of them.
   *
   * @throws MillraceError `queue-not-found`, `invalid-option`
   * @example
   * const [first] = await millrace.jobs.complete("tag:", { state: "queued", queue: "mail" });
   */
  complete(filter: string, which: LiveCompletion): Promise<readonly Completion[]>;
  /**
   * The job that lies in a queue for the longest time: the one that `oldestAgeMs` of the queue's
   * snapshot is about. It is `queued` or `running`. Undefined where the queue holds none; jobs that
   * are delayed or blocked lie elsewhere.
   *
   * @throws MillraceError `queue-not-found`
   * @example
   * const oldest = await millrace.jobs.oldest("mail");
   */
  oldest(queue: string, limits?: CallLimits): Promise<LiveJob | undefined>;
  /**
   * How many jobs are in a state now, over all queues or in one; `dead` counts dead letters.
   *
   * @throws MillraceError `queue-not-found`, `invalid-option`
   */
  count(
    query: { readonly state: LiveState | "dead"; readonly queue?: string } & CallLimits,
  ): Promise<number>;
  /**
   * What becomes of jobs from now on: a record for each attempt that ends, as it ends. What ends
   * while the connection is away is not told: for people and dashboards, not for work. Ends when
   * the loop is left, at the signal, and when the client is closed.
   *
   * @throws MillraceError `reader-too-slow` where 10,000 records wait to be read
   * @example
   * for await (const { id, error } of millrace.jobs.watch({ state: "dead" })) page(id, error);
   */
  watch(query?: WatchQuery): AsyncIterable<HistoryRecord>;
}

type RecordedQuery = JobsQuery & { readonly state?: RecordedState };

const MOST = 10_000;
const MOST_LOOKED = 1_000_000;
const DEFAULT_LOOKED = 100_000;

const LIST_NAMES = optionNames<RecordedQuery>({
  ...{ queue: true, limit: true, where: true, state: true, ...LIMITS },
});
const SEARCH_NAMES = optionNames<LiveJobSearch>({
  ...{ queue: true, limit: true, where: true, state: true, most: true, within: true, ...LIMITS },
});
const COMPLETE_NAMES = optionNames<LiveCompletion>({ queue: true, state: true, ...LIMITS });
const COUNT_NAMES = optionNames<Parameters<Jobs["count"]>[0]>({
  ...{ state: true, queue: true, ...LIMITS },
});
export const JOBS_LIMITS: LimitsPlaces<Omit<Jobs, "watch">> = {
  ...{ get: among(1), list: among(0), search: among(0), complete: among(1) },
  ...{ oldest: alone(1), count: among(0) },
};
const WATCH_NAMES = optionNames<WatchQuery>({
  ...{ queue: true, name: true, state: true, signal: true },
});

export function jobsOf(
  broker: Broker,
  get: Jobs["get"],
  { clock, mask }: { readonly clock: Clock; readonly mask: Mask },
): Jobs {
  const now = (): number => clock.now();
  const liveTest = (where: string | undefined): LiveJobTest =>
    where === undefined ? EVERY_LIVE_JOB : parseLiveJobFilter(where, now(), mask);
  function list(query: JobsQuery & { readonly state: LiveState }): Promise<readonly LiveJob[]>;
  function list(query?: RecordedQuery): Promise<readonly HistoryRecord[]>;
  async function list(
    given: JobsQuery & { readonly state?: LiveState | RecordedState } = {},
  ): Promise<readonly LiveJob[] | readonly HistoryRecord[]> {
    refuseUnknown(given, LIST_NAMES, "jobs.list()");
    const { queue, state, limit = 50, where } = given;
    requireCount(limit, "limit", 1, MOST);
    const query = { limit, ...(queue === undefined ? {} : { queue: requireQueueName(queue) }) };
    if (state !== undefined && !isState(state))
      throw mustBe("state", [...LIVE_STATES, ...RECORDED_STATES].join(", "), state);
    const live = LIVE_STATES.find((one) => one === state);
    if (live !== undefined) {
      const test = liveTest(where);
      if (where === undefined) return liveJobs(broker, live, query);
      const bounds = { limit: Infinity, most: limit, isOver: () => false };
      return (await findLive(broker, live, { queue, test }, bounds)).jobs;
    }
    const fits = where === undefined ? () => true : parseJobFilter(where, now(), mask);
    const records: HistoryRecord[] = [];
    const recent = await broker.history.recent(query);
    const turns = new Turns();
    for (const record of recent) {
      if (where !== undefined && turns.isOver) await turns.next();
      if ((state === undefined || record.state === state) && fits(record)) records.push(record);
    }
    return records;
  }
  return {
    get,
    list,
    async search(given) {
      refuseUnknown(given, SEARCH_NAMES, "jobs.search()");
      const { state, queue, where, limit = 50, most = DEFAULT_LOOKED, within } = given;
      requireCount(limit, "limit", 1, MOST);
      requireCount(most, "most", 1, MOST_LOOKED);
      requireLive(state);
      if (queue !== undefined) requireQueueName(queue);
      const end = within === undefined ? Infinity : clock.monotonic() + toMs(within, "within");
      const isOver = (): boolean => clock.monotonic() >= end;
      return findLive(broker, state, { queue, test: liveTest(where) }, { limit, most, isOver });
    },
    async complete(filter, given) {
      refuseUnknown(given, COMPLETE_NAMES, "jobs.complete()");
      if (typeof filter !== "string") throw mustBe("filter", "a text", filter);
      const { state, queue } = given;
      requireLive(state);
      if (queue !== undefined) requireQueueName(queue);
      return completeLive(broker, filter, { state, queue, mask });
    },
    oldest: async (queue) => oldestJob(broker, requireQueueName(queue)),
    async count(given) {
      refuseUnknown(given, COUNT_NAMES, "jobs.count()");
      const { state, queue } = given;
      if (!COUNTED.includes(state)) throw mustBe("state", COUNTED.join(", "), state);
      const where = queue === undefined ? queue : requireQueueName(queue);
      const snapshots = await snapshotsOf(broker, where);
      return snapshots.reduce((sum, snapshot) => sum + snapshot[state], 0);
    },
    watch: (query = {}) => {
      refuseUnknown(query, WATCH_NAMES, "jobs.watch()");
      const { queue, name, state } = query;
      if (queue !== undefined) requireQueueName(queue);
      if (name !== undefined) requireJobName(name);
      if (state !== undefined && !RECORDED_STATES.includes(state))
        throw mustBe("state", RECORDED_STATES.join(", "), state);
      return watchRecords(broker, query);
    },
  };
}

const COUNTED: readonly (LiveState | "dead")[] = [
  "queued",
  "delayed",
  "blocked",
  "running",
  "dead",
];

/** Every way in which a delivery can be recorded. */
export const RECORDED_STATES = [
  "succeeded",
  "requeued",
  "dead",
  "expired",
  "cancelled",
] as const satisfies readonly RecordedState[];

function isState(state: string): boolean {
  return [...LIVE_STATES, ...RECORDED_STATES].some((known) => known === state);
}

function requireLive(state: LiveState): void {
  if (!LIVE_STATES.includes(state)) throw mustBe("state", LIVE_STATES.join(", "), state);
}
