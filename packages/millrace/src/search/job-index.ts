import {
  type Broker,
  type Clock,
  defined,
  type ErrorCode,
  type FailureGroup,
  MillraceError,
  optionNames,
  refuseUnknown,
  requireCount,
  requireMethod,
  type Stoppable,
  systemClock,
} from "@millrace/core";
import { showValue } from "@millrace/telemetry/masking";
import { printOf } from "../config/mask-of.ts";
import { type Completion, completeFilter } from "../filter/complete-filter.ts";
import { askedFailures, type FailuresQuery } from "./failures-query.ts";
import { IndexFollower } from "./index-follower.ts";
import type { AskedIndex, EndedRate, RatesQuery } from "./index-calls.ts";
import { problemOf } from "./index-problem.ts";
import { indexAt } from "./index-at.ts";
import type { JobIndexOptions } from "./index-options.ts";
import { isOutage } from "./postgres/postgres-database.ts";
import { MaskedIndex } from "./masked-again.ts";
import { IndexWaiters } from "./index-waiters.ts";
import { FIELD_WORDS, type IndexedJob } from "./indexed-job.ts";

/** Which jobs are looked for. */
export interface JobSearch {
  /** What has to hold: `state:dead payload.customer:42`. See `docs/filters.md`. */
  readonly where?: string;
  readonly state?: IndexedJob["state"];
  readonly queue?: string;
  /** From 1 to 10,000. Default 50. */
  readonly limit?: number;
}

/** Jobs that were found, the newest first. */
export interface FoundJobs {
  readonly jobs: readonly IndexedJob[];
  /** Whether others fit, too. */
  readonly more: boolean;
}

/** How far an index is. Positions are the history's. */
export interface JobIndexStatus {
  /**
   * `catching-up`: it reads what there was before. `following`: it is as far as the streams were a
   * moment ago. `failing`: the server or the file can't be used; it is tried again.
   */
  readonly state: "catching-up" | "following" | "failing";
  readonly position: number;
  readonly newest: number;
  /** Records that are not in it yet. */
  readonly behind: number;
  readonly jobs: number;
  readonly bytes: number;
  /** Since when the oldest of its jobs has stood as it is, epoch milliseconds. */
  readonly oldestAt?: number;
  /** Jobs that were heard of in too great a number: their payloads may not be in it. */
  readonly unheard: number;
  readonly problem?: { readonly code: ErrorCode; readonly message: string };
}

/** An account of jobs that can be searched, also by what is in their payloads. */
export interface JobIndex extends AsyncDisposable {
  /** @throws FilterError (`invalid-filter`); MillraceError `invalid-option`, `index-failed` */
  search(search?: JobSearch): Promise<FoundJobs>;
  /**
   * How attempts ended over time, as far as the history goes back.
   *
   * @throws MillraceError `invalid-option`, `index-failed`
   */
  rates(query: RatesQuery): Promise<readonly EndedRate[]>;
  /**
   * What attempts failed of, those too that were tried again and succeeded: by queue, job name and
   * fingerprint of the error, the most frequent first.
   *
   * @throws FilterError (`invalid-filter`); MillraceError `invalid-option`, `index-failed`
   */
  failures(query?: FailuresQuery): Promise<readonly FailureGroup[]>;
  /** How a filter may go on that ends so far. */
  complete(filter: string): Promise<readonly Completion[]>;
  /** @throws MillraceError `index-failed` */
  status(): Promise<JobIndexStatus>;
  /**
   * Resolves once all is in it that was stored before the call.
   *
   * @throws MillraceError where the server or the file can't be used for half a minute
   */
  caughtUp(): Promise<void>;
  /** Forgets all, and reads the streams anew. Resolves when it has forgotten; throws likewise. */
  rebuild(): Promise<void>;
  /** Waits for no round: what is read then is read again. */
  close(): Promise<void>;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const GIB = 1024 ** 3;
const MOST = 10_000;
/** Between two looks: while things move, and while nothing does. */
const SOON_MS = 250;
const LATE_MS = 5_000;

const OPTION_NAMES = optionNames<JobIndexOptions>({
  ...{ broker: true, namespace: true, path: true, postgres: true, keepMs: true, maxBytes: true },
  ...{ mask: true, clock: true, onDefect: true },
});
const SEARCH_NAMES = optionNames<JobSearch>({
  ...{ where: true, state: true, queue: true, limit: true },
});
const RATES_NAMES = optionNames<RatesQuery>({ since: true, stepMs: true, queue: true });
/** Values that are the same in every fleet. */
const STATES = ["queued", "succeeded", "requeued", "dead", "expired", "cancelled"];

/**
 * Opens an index of jobs in a SQLite file and keeps it up with the streams until it is closed. It
 * is a projection: whatever becomes of the file, it is made again from the server. See
 * `docs/filters.md`.
 *
 * @throws MillraceError `index-failed` where this Node has no SQLite; `invalid-option`
 * @example
 * const { broker, mask } = millrace;
 * await using index = await openJobIndex({ broker, mask, path: "jobs.db" });
 * await index.caughtUp();
 * const { jobs } = await index.search({ where: "state:dead payload.customer:42" });
 */
export async function openJobIndex(options: JobIndexOptions): Promise<JobIndex> {
  refuseUnknown(options, OPTION_NAMES, "openJobIndex()");
  const { broker, clock = systemClock, path = "", mask, namespace = "", onDefect } = options;
  const { postgres } = options;
  const { keepMs = 7 * DAY_MS, maxBytes = GIB } = options;
  requireMethod(broker, "broker", "onStatus");
  if (typeof mask !== "function")
    throw new MillraceError("invalid-option", "mask: must be a mask, such as millrace.mask.");
  requireCount(keepMs, "keepMs");
  requireCount(maxBytes, "maxBytes");
  const index = await indexAt({ path, postgres });
  const show = showValue(false, mask);
  const print = printOf(mask);
  const follower = new IndexFollower({
    ...{ broker, clock, index, keepMs, maxBytes, show },
    // Of which fleet, and what is hidden in it.
    identity: JSON.stringify([namespace, print]),
  });
  // Only what goes with the process is sure to be of this mask.
  const isOwn = postgres === undefined && path === "";
  const masked = new MaskedIndex(index, isOwn || print !== undefined ? undefined : show);
  try {
    await follower.open();
  } catch (error) {
    // It is opened in each round, then.
    if (!isOutage(error)) {
      await index.end();
      throw error;
    }
  }
  return new FollowedIndex({ broker, clock, index, masked, follower, onDefect });
}

interface IndexParts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly index: AskedIndex;
  readonly masked: MaskedIndex;
  readonly follower: IndexFollower;
  readonly onDefect: ((error: unknown) => void) | undefined;
}

class FollowedIndex implements JobIndex {
  readonly #parts: IndexParts;
  readonly #running: Promise<void>;
  #isClosed = false;
  readonly #waiters = new IndexWaiters();
  #isBehind = true;
  #problem: JobIndexStatus["problem"];
  #hasNews = false;
  #wake: () => void = () => {};

  constructor(parts: IndexParts) {
    this.#parts = parts;
    this.#running = this.#run();
  }

  async search(search: JobSearch = {}): Promise<FoundJobs> {
    refuseUnknown(search, SEARCH_NAMES, "search()");
    const { where, state, queue, limit = 50 } = search;
    requireCount(limit, "limit", 1, MOST);
    const { masked, clock } = this.#parts;
    return masked.search({
      ...{ limit, now: clock.now() },
      ...(where === undefined || where.trim() === "" ? {} : { filter: where }),
      ...defined({ state, queue }),
    });
  }

  async rates(query: RatesQuery): Promise<readonly EndedRate[]> {
    refuseUnknown(query, RATES_NAMES, "rates()");
    requireCount(query.since, "since", 0);
    requireCount(query.stepMs, "stepMs", MINUTE_MS);
    return this.#parts.index.ask("rates", query);
  }

  async failures(query: FailuresQuery = {}): Promise<readonly FailureGroup[]> {
    const { masked, clock } = this.#parts;
    return masked.failures(askedFailures(query, clock.now()));
  }

  async complete(filter: string): Promise<readonly Completion[]> {
    const known = await this.#parts.masked.known();
    return completeFilter(filter, FIELD_WORDS, { ...known, state: STATES });
  }

  async status(): Promise<JobIndexStatus> {
    const size = await this.#parts.index.ask("size", {});
    const { position, newest, behind, unheard } = this.#parts.follower.progress;
    const problem = this.#problem;
    const isBehind = this.#isBehind || this.#parts.follower.isFresh;
    const state = isBehind ? "catching-up" : "following";
    return {
      state: problem === undefined ? state : "failing",
      ...{ position, newest, behind, unheard, ...size },
      ...(problem === undefined ? {} : { problem }),
    };
  }

  caughtUp(): Promise<void> {
    const caughtUp = this.#isClosed ? Promise.resolve() : this.#waiters.round();
    this.#ring();
    return caughtUp;
  }

  rebuild(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isBehind = true;
    const rebuilt = this.#waiters.rebuild();
    this.#ring();
    return rebuilt;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#parts.follower.stop();
    this.#ring();
    this.#parts.index.breakOff?.();
    await this.#running;
    await this.#parts.index.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #ring(): void {
    this.#hasNews = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    const { broker, follower, onDefect } = this.#parts;
    const open: Stoppable[] = [];
    const ring = (): void => this.#ring();
    const unlisten = broker.onStatus(ring);
    let isListening = false;
    while (!this.#isClosed) {
      try {
        if (!isListening) {
          // Listened to first, then read: what comes in between is found in one of them.
          open.push(await follower.hear(ring), await broker.history.watch({}, ring));
          isListening = true;
        }
        await this.#round();
        this.#problem = undefined;
      } catch (error) {
        if (this.#isClosed) break;
        if (!MillraceError.is(error)) onDefect?.(error);
        this.#problem = problemOf(error);
        this.#waiters.failed(error, this.#parts.clock.monotonic());
      }
      await this.#pause(this.#problem === undefined && this.#hasNews ? SOON_MS : LATE_MS);
    }
    unlisten();
    for (const one of open) await one.stop().catch(() => {});
    this.#waiters.rebuilt(this.#waiters.rebuilds);
    this.#waiters.caughtUp(this.#waiters.rounds);
  }

  async #round(): Promise<void> {
    const { follower } = this.#parts;
    const { rebuilds } = this.#waiters;
    this.#hasNews = false;
    if (!(await follower.isOpen())) {
      this.#isBehind = true;
      await follower.open();
    }
    if (rebuilds > 0) {
      await follower.clear();
      this.#waiters.rebuilt(rebuilds);
    }
    const asked = this.#waiters.rounds;
    await follower.round();
    this.#isBehind = this.#waiters.rebuilds > 0;
    this.#waiters.caughtUp(asked);
  }

  /** Whether somebody waits for the next round, and it may succeed. */
  #isAsked(): boolean {
    if (this.#isClosed) return true;
    return this.#problem === undefined && this.#waiters.rounds + this.#waiters.rebuilds > 0;
  }

  /** What comes in quick succession is read together. */
  async #pause(ms: number): Promise<void> {
    if (this.#isAsked()) return;
    const woken = Promise.withResolvers<void>();
    const { clock } = this.#parts;
    const started = clock.monotonic();
    this.#wake = woken.resolve;
    const timer = clock.setTimer(ms, woken.resolve);
    timer.unref?.();
    await woken.promise;
    timer.cancel();
    const left = SOON_MS - (clock.monotonic() - started);
    if (left <= 0 || this.#isAsked()) return;
    const rest = Promise.withResolvers<void>();
    this.#wake = () => {
      if (this.#isAsked()) rest.resolve();
    };
    const soon = clock.setTimer(left, rest.resolve);
    soon.unref?.();
    await rest.promise;
    soon.cancel();
  }
}
