import {
  type Broker,
  type Clock,
  defined,
  type Duration,
  formatMs,
  MillraceError,
  optionNames,
  refuseUnknown,
  toMs,
  withOwn,
} from "@millrace/core";
import { waitWithin } from "./wait-within.ts";

/**
 * How long a call may take. Every call of a client takes them that asks the server, in its options
 * or as its last argument; those that enqueue, whose `timeout` is an attempt's, by `with()`.
 */
export interface CallLimits {
  /** From the call to its end. Default: what the call takes by itself, 30 s for an enqueue. */
  readonly timeout?: Duration;
  /** Ends the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** For the names of options of which they are some. */
export const LIMITS = { timeout: true, signal: true } as const;
const NAMES = optionNames<CallLimits>(LIMITS);

/**
 * Limits as they were given.
 *
 * @param of which call: `health()`
 * @throws MillraceError `invalid-option`, `invalid-duration`
 */
export function callLimits(limits: CallLimits, of: string): CallLimits {
  refuseUnknown(limits, NAMES, of);
  if (limits.timeout !== undefined) toMs(limits.timeout, "timeout");
  return limits;
}

/**
 * Where a method takes its own limits. `alone`: as an argument that holds nothing else. `among`:
 * beside other options, which the method checks. `kept`: likewise, and the method keeps to them
 * itself.
 */
export interface LimitsPlace {
  readonly at: number;
  readonly how: "alone" | "among" | "kept";
}

/** Of each method: the compiler asks for those that take none yet. */
export type LimitsPlaces<Methods> = { readonly [Name in keyof Methods]-?: LimitsPlace };

export const alone = (at: number): LimitsPlace => ({ at, how: "alone" });
export const among = (at: number): LimitsPlace => ({ at, how: "among" });
export const kept = (at: number): LimitsPlace => ({ at, how: "kept" });

/**
 * The limits that a call was given itself.
 *
 * @param doing which call: `queues.list()`
 * @throws MillraceError `invalid-option`
 */
export function ownLimits(
  given: readonly unknown[],
  { at, how }: LimitsPlace,
  doing: string,
): CallLimits {
  const options = given[at] as CallLimits | null | undefined;
  if (how === "alone")
    return callLimits(options === undefined ? {} : (options as CallLimits), doing);
  // What is no object the method refuses.
  if (how === "kept" || typeof options !== "object" || options === null) return {};
  const { timeout, signal } = options;
  return callLimits(defined({ timeout, signal }), doing);
}

export interface LimitedHost {
  readonly broker: Broker;
  readonly clock: Clock;
}

/** What a call does, and the code of its error when its time is over. */
export interface LimitedCall {
  /** Completes "… took longer than 2s". */
  readonly doing: string;
  readonly code: "publish-timeout" | "request-timeout";
}

/**
 * The broker has this long to say of each job whether it was sent: that is more than the call could
 * say by itself.
 */
const TELL_MS = 50;

/**
 * Acts until it is done or its time is over. Nothing is enqueued after that; what else was asked of
 * the server may still take effect.
 *
 * @param act is given a broker that enqueues for as long as the call lasts, and a signal that is
 *   aborted when nobody waits for the call any more
 * @throws MillraceError of the call's code; the signal's reason; what `act` throws
 */
export async function limited<T>(
  { broker, clock }: LimitedHost,
  { timeout, signal }: CallLimits,
  call: LimitedCall,
  act: (via: Broker, left: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeoutMs = timeout === undefined ? undefined : toMs(timeout, "timeout");
  const over = new AbortController();
  const time =
    timeoutMs === undefined
      ? undefined
      : {
          ...{ ms: timeoutMs, tooLate: () => tooLate(call, timeoutMs, broker.status) },
          first: { act: () => over.abort(), ms: TELL_MS },
        };
  return waitWithin({ clock, signal, time }, (left) =>
    act(enqueueingUntil(broker, AbortSignal.any([over.signal, left])), left),
  );
}

function enqueueingUntil(broker: Broker, signal: AbortSignal): Broker {
  return withOwn(broker, {
    enqueue: (jobs, call) => broker.enqueue(jobs, { ...call, signal }),
  });
}

function tooLate(
  { doing, code }: LimitedCall,
  timeoutMs: number,
  status: Broker["status"],
): MillraceError {
  const why =
    status === "connected"
      ? "the server has not answered"
      : `there is no connection to the server (${status})`;
  return new MillraceError(
    code,
    `${doing} took longer than ${formatMs(timeoutMs)}: ${why}. If it was to change something, that may be done or not.`,
  );
}
