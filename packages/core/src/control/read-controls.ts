import { MAX_REASON } from "../envelope/text-limits.ts";
import {
  type ControlMark,
  isConcurrency,
  MOST_KEY_CONCURRENCY,
  isMaxParked,
  isRateLimit,
  isRecord,
  isSendsTo,
  type QueueControls,
  type RateLimit,
} from "./queue-controls.ts";

export interface ControlsReading {
  readonly controls: QueueControls;
  /** Fields that can't be used, each in words. They count as absent. */
  readonly problems: readonly string[];
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const NO_CONTROLS: QueueControls = Object.freeze({});

/**
 * What a document of the bucket says. Never throws: anybody can write there. A field that can't be
 * used is left out and the others count, so that a slip in a rate does not let a paused queue run.
 */
export function readControls(value: unknown): ControlsReading {
  if (value === undefined) return { controls: NO_CONTROLS, problems: [] };
  if (!isRecord(value)) return { controls: NO_CONTROLS, problems: ["it is no map of controls"] };
  const problems: string[] = [];
  const controls: Writable<QueueControls> = {};
  const paused = readMark(value["paused"], "paused", true, problems);
  if (paused !== undefined) controls.paused = paused;
  const closed = readMark(value["intake"], "intake", "closed", problems);
  if (closed !== undefined) controls.closed = closed;
  Object.assign(controls, readLimits(value, "", problems));
  const sendsTo = value["sendsTo"];
  if (isSendsTo(sendsTo)) controls.sendsTo = sendsTo;
  else if (isSet(sendsTo)) problems.push("sendsTo is no list of names of queues");
  const maxParked = value["maxParked"];
  if (isMaxParked(maxParked)) controls.maxParked = maxParked;
  else if (isSet(maxParked)) problems.push("maxParked is no whole number from 0");
  const perKey = value["perKey"];
  if (isRecord(perKey)) {
    const limits = readLimits(perKey, "perKey.", problems);
    if (Object.keys(limits).length > 0) controls.perKey = limits;
  } else if (isSet(perKey)) problems.push("perKey is no map");
  return { controls, problems };
}

function readLimits(
  { concurrency, rate }: Readonly<Record<string, unknown>>,
  prefix: string,
  problems: string[],
): { readonly concurrency?: number; readonly rate?: RateLimit } {
  const limits: { concurrency?: number; rate?: RateLimit } = {};
  // A cap that an earlier version took caps still.
  if (isConcurrency(concurrency))
    limits.concurrency = prefix === "" ? concurrency : Math.min(concurrency, MOST_KEY_CONCURRENCY);
  else if (isSet(concurrency)) problems.push(`${prefix}concurrency is no whole number from 1`);
  if (isRateLimit(rate)) limits.rate = { limit: rate.limit, perMs: rate.perMs };
  else if (isSet(rate))
    problems.push(`${prefix}rate is no {limit, perMs} of whole numbers from 1 and up to a day`);
  return limits;
}

/** A mark, or the plain word that somebody wrote by hand. */
function readMark(
  value: unknown,
  field: string,
  word: unknown,
  problems: string[],
): ControlMark | undefined {
  if (value === word) return { since: 0 };
  if (!isSet(value) || value === false || value === "open") return undefined;
  if (!isRecord(value)) {
    problems.push(`${field} is neither ${JSON.stringify(word)} nor a map`);
    return undefined;
  }
  const { since, reason, by } = value;
  const mark: Writable<ControlMark> = {
    since: typeof since === "number" && Number.isFinite(since) ? since : 0,
  };
  if (typeof reason === "string") mark.reason = reason.slice(0, MAX_REASON);
  if (typeof by === "string") mark.by = by.slice(0, MAX_REASON);
  return mark;
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}
