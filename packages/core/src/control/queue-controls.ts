import { isQueueName } from "../ids/names.ts";

/** That an operator did something, for those who wonder. */
export interface ControlMark {
  /** Epoch milliseconds, by the clock of whoever set it. */
  readonly since: number;
  readonly reason?: string;
  /** A user, a host, a command: whoever set it. */
  readonly by?: string;
}

/** At most `limit` starts in each `perMs`, and up to `limit` at once after a quiet time. */
export interface RateLimit {
  readonly limit: number;
  readonly perMs: number;
}

/**
 * What an operator set for a queue, over all nodes and restarts. What is absent is as the code
 * says.
 */
export interface QueueControls {
  /** Nothing is pulled. What runs goes on. */
  readonly paused?: ControlMark;
  /** Producers are refused. */
  readonly closed?: ControlMark;
  /** Jobs of the queue that run at once, over all nodes. */
  readonly concurrency?: number;
  /** Jobs of the queue that start, over all nodes. */
  readonly rate?: RateLimit;
  /**
   * For the jobs of one key (a definition's `concurrency` and `rateLimit`), instead of what the
   * definition says.
   */
  readonly perKey?: { readonly concurrency?: number; readonly rate?: RateLimit };
  /** Other queues that the jobs of this queue's producers may be followed by jobs in. */
  readonly sendsTo?: readonly string[];
  /**
   * Jobs of its producers that may wait for a later start; and as many may be blocked at gates
   * before the queue fills.
   */
  readonly maxParked?: number;
}

/** A change: null takes away what was set, undefined leaves it. */
export interface QueueControlsChange {
  readonly paused?: ControlMark | null;
  readonly closed?: ControlMark | null;
  readonly concurrency?: number | null;
  readonly rate?: RateLimit | null;
  readonly perKey?: { readonly concurrency?: number | null; readonly rate?: RateLimit | null };
  readonly sendsTo?: readonly string[] | null;
  readonly maxParked?: number | null;
}

/** The document bucket; the key is the queue. */
export const CONTROLS_BUCKET = "controls";

/** The most jobs at once that a cap may name. */
export const MOST_CONCURRENCY = 1_000_000;
/**
 * The same of a cap for each key: a job that finds no free permit looks at all of its key's at
 * once, and so does the sweep of what waits.
 */
export const MOST_KEY_CONCURRENCY = 1_000;
/** The most starts in a period, and the longest period, that a rate may name. */
export const MOST_RATE = 1_000_000_000;
export const LONGEST_RATE_PERIOD_MS = 24 * 3_600_000;

export function isConcurrency(value: unknown): value is number {
  return isWhole(value, 1, MOST_CONCURRENCY);
}

export function isKeyConcurrency(value: unknown): value is number {
  return isWhole(value, 1, MOST_KEY_CONCURRENCY);
}

export function isRateLimit(value: unknown): value is RateLimit {
  return (
    isRecord(value) &&
    isWhole(value["limit"], 1, MOST_RATE) &&
    isWhole(value["perMs"], 1, LONGEST_RATE_PERIOD_MS)
  );
}

/** The most jobs that a queue may be allowed to park. */
export const MOST_PARKED = 1_000_000_000;

export function isMaxParked(value: unknown): value is number {
  return isWhole(value, 0, MOST_PARKED);
}

/** The most queues that one may send on to. */
const MOST_SENT_TO = 100;

export function isSendsTo(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= MOST_SENT_TO && value.every(isQueueName);
}

/** The controls with a change made to them. Pure. */
export function changedControls(
  controls: QueueControls,
  change: QueueControlsChange,
): QueueControls {
  const { perKey, ...rest } = change;
  const changed = changedFields({ ...controls }, rest);
  if (perKey === undefined) return changed;
  const { perKey: before, ...others } = changed;
  const after = changedFields({ ...before }, perKey);
  return Object.keys(after).length === 0 ? others : { ...others, perKey: after };
}

function changedFields<Fields extends object>(
  fields: Fields,
  change: { readonly [Name in keyof Fields]?: Fields[Name] | null | undefined },
): Fields {
  const changed = { ...fields };
  for (const name of Object.keys(change) as (keyof Fields)[]) {
    const value = change[name];
    if (value === null) delete changed[name];
    else if (value !== undefined) changed[name] = value;
  }
  return changed;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isWhole(value: unknown, from: number, to: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to;
}
