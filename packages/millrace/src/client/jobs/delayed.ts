import {
  type Broker,
  type DelayedJob,
  type Duration,
  mustBe,
  optionNames,
  refuseUnknown,
  requireLimit,
  toMs,
  requireCount,
} from "@millrace/core";
import { alone, among, type CallLimits, LIMITS, type LimitsPlaces } from "../call-limits.ts";

/** Another time for a delayed job: a moment, some time from now, or at once. */
export type NewTime = Date | number | { readonly delay: Duration } | "now";

/** Jobs that wait for their time: delayed ones, and retries that wait for their backoff. */
export interface DelayedJobs {
  /**
   * Those that have waited longest, the soonest due first. `limit`: default 100, `Infinity`: all;
   * `after`: the greatest `position` of the page before.
   *
   * @example
   * for (const { id, notBefore } of await millrace.delayed.list({ queue: "mail" }))
   *   console.log(id, new Date(notBefore));
   */
  list(
    options?: {
      readonly queue?: string;
      readonly limit?: number;
      readonly after?: number;
    } & CallLimits,
  ): Promise<readonly DelayedJob[]>;
  /** How many wait; of one queue, or of all. */
  count(queue?: string, limits?: CallLimits): Promise<number>;
  /**
   * Gives a job another time. It stays the same job, and no attempt is spent.
   *
   * @returns false where it does not wait (any more, or not yet: see docs/delays.md), or is due
   *   within two seconds
   * @throws MillraceError `already-expired`, `invalid-option`, `invalid-duration`, `invalid-name`,
   *   `publish-timeout`
   * @example
   * await millrace.delayed.move("reminder-7", "mail", { delay: "1d" });
   */
  move(id: string, queue: string, to: NewTime, limits?: CallLimits): Promise<boolean>;
}

const LIST_NAMES = optionNames<NonNullable<Parameters<DelayedJobs["list"]>[0]>>({
  ...{ queue: true, limit: true, after: true, ...LIMITS },
});
export const DELAYED_LIMITS: LimitsPlaces<DelayedJobs> = {
  ...{ list: among(0), count: alone(1), move: alone(3) },
};
const TIME_NAMES = optionNames<{ readonly delay: Duration }>({ delay: true });

export function delayedJobs({ delayed }: Broker, now: () => number): DelayedJobs {
  return {
    list: async (options = {}) => {
      refuseUnknown(options, LIST_NAMES, "delayed.list()");
      const { signal: _left, timeout: _time, ...page } = options;
      if (page.limit !== undefined) requireLimit(page.limit);
      if (page.after !== undefined) requireCount(page.after, "after", 0);
      return delayed.list(page);
    },
    count: (queue) => delayed.count(queue),
    // Async, so that a bad time rejects like every other error.
    move: async (id, queue, to) => delayed.move(id, queue, timeOf(to, now)),
  };
}

/** @throws MillraceError `invalid-option`, `invalid-duration` */
export function timeOf(to: NewTime, now: () => number): number | "now" {
  if (to === "now") return to;
  const at: unknown = to instanceof Date ? to.getTime() : to;
  // What merely counts as a number, as "" and false do for 0, was no time, and no job is due then.
  if (typeof at === "number" && Number.isFinite(at)) return Math.ceil(at);
  if (typeof to === "object" && (to as object | null) !== null && "delay" in to) {
    refuseUnknown(to, TIME_NAMES, "delayed.move()");
    return Math.ceil(now() + toMs(to.delay));
  }
  throw mustBe("to", 'a Date, epoch milliseconds, { delay } or "now"', to);
}
