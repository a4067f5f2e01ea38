import {
  type Broker,
  type Clock,
  type Duration,
  formatMs,
  MillraceError,
  optionNames,
  refuseUnknown,
  toMs,
  type Timer,
} from "@millrace/core";

/** How long a call may take. */
export interface CallLimits {
  /** From the call to its end. Default: what the call takes by itself, 30 s for an enqueue. */
  readonly timeout?: Duration;
  /** Ends the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

const NAMES = optionNames<CallLimits>({ timeout: true, signal: true });

/**
 * Limits as they were given.
 *
 * @param of which call: `health()`
 * @throws MillraceError `invalid-option`
 */
export function callLimits(limits: CallLimits, of: string): CallLimits {
  refuseUnknown(limits, NAMES, of);
  return limits;
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
  signal?.throwIfAborted();
  const timeoutMs = timeout === undefined ? undefined : toMs(timeout, "timeout");
  const over = new AbortController();
  const left = new AbortController();
  const ended = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    over.abort();
    // Before the act is told: what it makes of that is not the call's answer.
    ended.reject(reason);
    left.abort(reason);
  };
  const abort = (): void => end(signal?.reason);
  let timer: Timer | undefined;
  if (timeoutMs !== undefined)
    timer = clock.setTimer(timeoutMs, () => {
      over.abort();
      // Not before: an event loop that stood still would find both over in the same turn.
      timer = clock.setTimer(TELL_MS, () => end(tooLate(call, timeoutMs, broker.status)));
    });
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([
      act(enqueueingUntil(broker, over.signal), left.signal),
      ended.promise,
    ]);
  } finally {
    signal?.removeEventListener("abort", abort);
    timer?.cancel();
  }
}

function enqueueingUntil(broker: Broker, signal: AbortSignal): Broker {
  const enqueue: Broker["enqueue"] = (jobs, call) => broker.enqueue(jobs, { ...call, signal });
  return new Proxy(broker, {
    // The broker's own getters and methods need itself as `this`: they have private fields.
    get(target, key) {
      if (key === "enqueue") return enqueue;
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
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
    `${doing} took longer than ${formatMs(timeoutMs)}: ${why}. What it was to write may be written or not.`,
  );
}
