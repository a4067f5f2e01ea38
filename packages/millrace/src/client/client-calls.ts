import type { Broker, Stoppable } from "@millrace/core";
import { type CallLimits, limited, type LimitedHost } from "./call-limits.ts";
import type { JobHandle } from "./jobs/job-handle.ts";
import type { Jobs } from "./jobs/jobs.ts";
import type { LockOptions } from "./lock.ts";

/** Methods of which each gives a promise: what gives its value at once would give one, too. */
type Asynchronous<Methods> = {
  readonly [Name in keyof Methods]: (...given: never[]) => Promise<unknown>;
};

/** At which place a method takes options with a `signal`. */
type SignalPlaces<Methods> = { readonly [Name in keyof Methods]?: number };

/** A client's calls, each within the client's limits where it has any. */
export interface ClientCalls {
  readonly isLimited: boolean;
  /** For what enqueues: nothing goes out when the time is over. */
  publish<T>(doing: string, act: (via: Broker) => Promise<T>): Promise<T>;
  /**
   * For what reads or changes something else.
   *
   * @param act is given a signal that is aborted when nobody waits for the call any more
   */
  ask<T>(doing: string, act: (left?: AbortSignal) => Promise<T>): Promise<T>;
  /** For what goes on until it is stopped; the client's signal ends it, too. */
  open(doing: string, act: () => Promise<Stoppable>): Promise<Stoppable>;
  /** The same methods, each within the limits. */
  each<Methods extends Asynchronous<Methods>>(
    name: string,
    methods: Methods,
    signals?: SignalPlaces<Methods>,
  ): Methods;
  /** The same of `millrace.jobs`; watching is ended by the signal alone. */
  jobs(jobs: Jobs): Jobs;
  /** The limits of a wait that is given none of its own. */
  wait<Options extends CallLimits>(options: Options): Options & CallLimits;
  /** A handle whose calls are limited likewise. */
  handle<Output>(handle: JobHandle<Output>): JobHandle<Output>;
  /** What is limited of a lock is the waiting for it, never the function under it. */
  lockOptions(options: LockOptions): LockOptions;
}

const UNLIMITED: Omit<ClientCalls, "publish"> = {
  isLimited: false,
  ask: (_doing, act) => act(),
  open: (_doing, act) => act(),
  each: (_name, methods) => methods,
  jobs: (jobs) => jobs,
  wait: (options) => options,
  handle: (handle) => handle,
  lockOptions: (options) => options,
};

export function clientCalls(host: LimitedHost, limits: CallLimits | undefined): ClientCalls {
  if (limits === undefined) return { ...UNLIMITED, publish: (_doing, act) => act(host.broker) };
  const { timeout, signal } = limits;
  const signalled = signal === undefined ? {} : { signal };
  const ask: ClientCalls["ask"] = (doing, act) =>
    limited(host, limits, { doing, code: "request-timeout" }, (_via, left) => act(left));
  const each: ClientCalls["each"] = (name, methods, signals = {}) =>
    new Proxy(methods, {
      get(target, key) {
        const method: unknown = Reflect.get(target, key);
        if (typeof method !== "function") return method;
        const place: unknown = Reflect.get(signals, key);
        return (...given: unknown[]): Promise<unknown> =>
          ask(`${name}.${String(key)}()`, async (left) => {
            const all = typeof place === "number" ? withSignal(given, place, left) : given;
            return (await Reflect.apply(method, target, all)) as unknown;
          });
      },
    });
  return {
    isLimited: true,
    publish: (doing, act) => limited(host, limits, { doing, code: "publish-timeout" }, act),
    ask,
    open: async (doing, act) => {
      const opened = await ask(doing, async (left) => {
        const late = await act();
        // Nobody would ever stop it.
        if (left?.aborted === true) await late.stop();
        return late;
      });
      return stoppedBy(opened, signal);
    },
    each,
    jobs: (jobs) => {
      const { watch, ...asked } = jobs;
      return {
        ...each("jobs", asked),
        watch: (query) => watch({ ...signalled, ...query }),
      };
    },
    wait: (options) => ({ ...limits, ...options }),
    handle: (handle) => ({
      ...handle,
      status: () => ask("handle.status()", () => handle.status()),
      result: (options) => handle.result({ ...limits, ...options }),
      cancel: (reason, options) =>
        ask("handle.cancel()", (left) =>
          handle.cancel(reason, { ...options, ...eitherSignal(options?.signal, left) }),
        ),
      progress: (options) => handle.progress({ ...signalled, ...options }),
      logs: (options) => handle.logs({ ...signalled, ...options }),
      reschedule: (when) => ask("handle.reschedule()", () => handle.reschedule(when)),
    }),
    lockOptions: (options) => ({
      ...(timeout === undefined ? {} : { wait: timeout }),
      ...signalled,
      ...options,
    }),
  };
}

/** The one that is aborted first, as an option; none where there is none. */
export function eitherSignal(
  own: AbortSignal | undefined,
  left: AbortSignal | undefined,
): { readonly signal?: AbortSignal } {
  const both = [own, left].filter((signal) => signal !== undefined);
  return both.length === 0 ? {} : { signal: AbortSignal.any(both) };
}

function withSignal(
  given: readonly unknown[],
  place: number,
  left: AbortSignal | undefined,
): readonly unknown[] {
  const options = given[place] as { readonly signal?: AbortSignal } | undefined;
  const all = [...given];
  all[place] = { ...options, ...eitherSignal(options?.signal, left) };
  return all;
}

function stoppedBy(opened: Stoppable, signal: AbortSignal | undefined): Stoppable {
  if (signal === undefined) return opened;
  const end = (): void => void opened.stop().catch(() => {});
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  return {
    stop: () => {
      signal.removeEventListener("abort", end);
      return opened.stop();
    },
  };
}
