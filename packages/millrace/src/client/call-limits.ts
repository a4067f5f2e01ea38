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
import type { Jobs } from "./jobs/jobs.ts";
import type { JobHandle } from "./jobs/job-handle.ts";
import type { LockOptions } from "./lock.ts";

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
 * @param act is given a broker that enqueues for as long as the call lasts
 * @throws MillraceError of the call's code; the signal's reason; what `act` throws
 */
export async function limited<T>(
  { broker, clock }: LimitedHost,
  { timeout, signal }: CallLimits,
  call: LimitedCall,
  act: (via: Broker) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const timeoutMs = timeout === undefined ? undefined : toMs(timeout, "timeout");
  const over = new AbortController();
  const ended = Promise.withResolvers<never>();
  const abort = (): void => {
    over.abort();
    ended.reject(signal?.reason as Error);
  };
  let timer: Timer | undefined;
  if (timeoutMs !== undefined)
    timer = clock.setTimer(timeoutMs, () => {
      over.abort();
      // Not before: an event loop that stood still would find both over in the same turn.
      timer = clock.setTimer(TELL_MS, () => ended.reject(tooLate(call, timeoutMs, broker.status)));
    });
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([act(enqueueingUntil(broker, over.signal)), ended.promise]);
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

/** A client's calls, each within the client's limits where it has any. */
export interface ClientCalls {
  readonly isLimited: boolean;
  /** For what enqueues: nothing goes out when the time is over. */
  publish<T>(doing: string, act: (via: Broker) => Promise<T>): Promise<T>;
  /** For what reads or changes something else. */
  ask<T>(doing: string, act: () => Promise<T>): Promise<T>;
  /** The same methods, each within the limits. */
  each<Methods extends object>(name: string, methods: Methods): Methods;
  /** The same of `millrace.jobs`; watching is ended by the signal alone. */
  jobs(jobs: Jobs): Jobs;
  /** A handle whose calls are limited likewise. */
  handle<Output>(handle: JobHandle<Output>): JobHandle<Output>;
  /** What is limited of a lock is the waiting for it, never the function under it. */
  lockOptions(options: LockOptions): LockOptions;
}

export function clientCalls(host: LimitedHost, limits: CallLimits | undefined): ClientCalls {
  if (limits === undefined)
    return {
      isLimited: false,
      publish: (_doing, act) => act(host.broker),
      ask: (_doing, act) => act(),
      each: (_name, methods) => methods,
      jobs: (jobs) => jobs,
      handle: (handle) => handle,
      lockOptions: (options) => options,
    };
  const { timeout: wait, signal } = limits;
  const ask: ClientCalls["ask"] = (doing, act) =>
    limited(host, limits, { doing, code: "request-timeout" }, () => act());
  const each: ClientCalls["each"] = (name, methods) =>
    new Proxy(methods, {
      get(target, key) {
        const method: unknown = Reflect.get(target, key);
        if (typeof method !== "function") return method;
        return (...given: unknown[]): Promise<unknown> =>
          ask(
            `${name}.${String(key)}()`,
            async () => (await Reflect.apply(method, target, given)) as unknown,
          );
      },
    });
  return {
    isLimited: true,
    publish: (doing, act) => limited(host, limits, { doing, code: "publish-timeout" }, act),
    ask,
    each,
    jobs: (jobs) => {
      const { get, list, count } = each("jobs", jobs);
      const watch: Jobs["watch"] = (query) =>
        jobs.watch({ ...(signal === undefined ? {} : { signal }), ...query });
      return { get, list, count, watch };
    },
    handle: (handle) => ({
      ...handle,
      status: () => ask("handle.status()", () => handle.status()),
      result: (options) => handle.result({ ...limits, ...options }),
      cancel: (reason, options) => ask("handle.cancel()", () => handle.cancel(reason, options)),
      progress: (options) =>
        handle.progress({ ...(signal === undefined ? {} : { signal }), ...options }),
      logs: (options) => handle.logs({ ...(signal === undefined ? {} : { signal }), ...options }),
      reschedule: (when) => ask("handle.reschedule()", () => handle.reschedule(when)),
    }),
    lockOptions: (options) => ({
      ...(wait === undefined ? {} : { wait }),
      ...(signal === undefined ? {} : { signal }),
      ...options,
    }),
  };
}
