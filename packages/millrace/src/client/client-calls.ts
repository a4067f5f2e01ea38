import { type Broker, defined, type Stoppable } from "@millrace/core";
import {
  alone,
  among,
  type CallLimits,
  callLimits,
  limited,
  type LimitedHost,
  type LimitsPlace,
  type LimitsPlaces,
  ownLimits,
} from "./call-limits.ts";
import type { JobHandle } from "./jobs/job-handle.ts";
import { type Jobs, JOBS_LIMITS } from "./jobs/jobs.ts";
import type { LockOptions } from "./lock.ts";

/** Methods of which each gives a promise: what gives its value at once would give one, too. */
type Asynchronous<Methods> = {
  readonly [Name in keyof Methods]: (...given: never[]) => Promise<unknown>;
};

/** A client's calls, each within the client's limits and its own, where there are any. */
export interface ClientCalls {
  readonly isLimited: boolean;
  /** For what enqueues: nothing goes out when the time is over. */
  publish<T>(doing: string, act: (via: Broker) => Promise<T>, own?: CallLimits): Promise<T>;
  /**
   * For what reads or changes something else.
   *
   * @param act is given a signal that is aborted when nobody waits for the call any more
   */
  ask<T>(doing: string, act: (left?: AbortSignal) => Promise<T>, own?: CallLimits): Promise<T>;
  /** For what goes on until it is stopped; a signal ends it, too. */
  open(doing: string, act: () => Promise<Stoppable>, own?: AbortSignal): Promise<Stoppable>;
  /**
   * The same methods, each within the limits. Each is given a signal that is aborted when nobody
   * waits for it any more, where it takes its own limits.
   *
   * @param name what they are of, for the error of one that takes too long; empty: of the client
   */
  each<Methods extends Asynchronous<Methods>>(
    name: string,
    methods: Methods,
    places: LimitsPlaces<Methods>,
  ): Methods;
  /** The same of `millrace.jobs`; watching is ended by the signal alone. */
  jobs(jobs: Jobs): Jobs;
  /** The limits of a wait that is given none of its own. */
  wait<Options extends CallLimits>(options: Options): Options & CallLimits;
  /** The signal of a reading that is given none of its own. */
  read<Options extends Pick<CallLimits, "signal">>(options: Options): Options;
  /** A handle whose calls are limited likewise. */
  handle<Output>(handle: JobHandle<Output>): JobHandle<Output>;
  /** What is limited of a lock is the waiting for it, never the function under it. */
  lockOptions(options: LockOptions): LockOptions;
}

export function clientCalls(host: LimitedHost, limits: CallLimits = {}): ClientCalls {
  const signalled = limits.signal === undefined ? {} : { signal: limits.signal };
  const isLimited = limits.timeout !== undefined || limits.signal !== undefined;
  const publish: ClientCalls["publish"] = (doing, act, own) => {
    const both = bothLimits(limits, own);
    return both === undefined
      ? act(host.broker)
      : limited(host, both, { doing, code: "publish-timeout" }, act);
  };
  const within =
    (of: CallLimits): ClientCalls["ask"] =>
    (doing, act, own) => {
      const both = bothLimits(of, own);
      return both === undefined
        ? act()
        : limited(host, both, { doing, code: "request-timeout" }, (_via, left) => act(left));
    };
  const ask = within(limits);
  const calls = { ask, isLimited, timeout: limits.timeout, untilSignal: within(signalled) };
  const each: ClientCalls["each"] = (name, methods, places) =>
    eachWithin(calls, name, methods, places);
  return {
    isLimited,
    publish,
    ask,
    open: async (doing, act, own) => {
      const ownLimit = callLimits(own === undefined ? {} : { signal: own }, doing);
      const { signal } = eitherSignal(own, limits.signal);
      const opened = await ask(
        doing,
        async (left) => {
          const late = await act();
          // Nobody would ever stop it.
          if (left?.aborted === true) await late.stop();
          return late;
        },
        ownLimit,
      );
      return stoppedBy(opened, signal);
    },
    each,
    jobs: (jobs) => {
      const { watch, ...asked } = jobs;
      return {
        ...each("jobs", asked, JOBS_LIMITS),
        watch: (query = {}) => watch(withDefaults(query, signalled)),
      };
    },
    wait: (options) => withDefaults(options, limits),
    handle: (handle) => ({
      ...handle,
      status: withLimits(calls, "handle.status()", alone(0), handle.status),
      cancel: withLimits(calls, "handle.cancel()", among(1), handle.cancel),
      reschedule: withLimits(calls, "handle.reschedule()", alone(1), handle.reschedule),
      ...(isLimited ? waitsOf(handle, limits) : {}),
    }),
    read: (options) => withDefaults(options, signalled),
    lockOptions: (options) =>
      withDefaults(options, {
        ...(limits.timeout === undefined ? {} : { wait: limits.timeout }),
        ...signalled,
      }),
  };
}

type Waits = Pick<JobHandle, "progress" | "logs">;

/** What of a handle waits or goes on. */
function waitsOf<Output>(
  handle: JobHandle<Output>,
  limits: CallLimits,
): Waits & Pick<JobHandle<Output>, "result"> {
  const signalled = limits.signal === undefined ? {} : { signal: limits.signal };
  return {
    result: (options = {}) => handle.result(withDefaults(options, limits)),
    progress: (options = {}) => handle.progress(withDefaults(options, signalled)),
    logs: (options = {}) => handle.logs(withDefaults(options, signalled)),
  };
}

interface Asking extends Pick<ClientCalls, "ask" | "isLimited"> {
  readonly timeout: CallLimits["timeout"];
  /** Acts until the client's signal is aborted. */
  readonly untilSignal: ClientCalls["ask"];
}
type Method = (...given: never[]) => unknown;

function eachWithin<Methods extends object>(
  calls: Asking,
  name: string,
  methods: Methods,
  places: LimitsPlaces<Methods>,
): Methods {
  return new Proxy(methods, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key);
      const place = Reflect.get(places, key) as LimitsPlace | undefined;
      if (typeof method !== "function" || place === undefined) return method;
      const doing = `${name === "" ? "" : `${name}.`}${String(key)}()`;
      return withLimits(calls, doing, place, method as Method);
    },
  });
}

/** The same method, within the client's limits and those that it is given itself. */
function withLimits<Of extends Method>(
  calls: Asking,
  doing: string,
  place: LimitsPlace,
  method: Of,
): Of {
  const limitedOf: Method = (...given: unknown[]) =>
    calls.isLimited || given[place.at] !== undefined
      ? askWithin(calls, doing, place, method, given)
      : Reflect.apply(method, undefined, given);
  return limitedOf as Of;
}

async function askWithin(
  calls: Asking,
  doing: string,
  place: LimitsPlace,
  method: Method,
  given: readonly unknown[],
): Promise<unknown> {
  if (place.how === "kept") return keepTo(calls, doing, place.at, method, given);
  const own = ownLimits(given, place, doing);
  const act = async (left?: AbortSignal): Promise<unknown> =>
    Reflect.apply(method, undefined, withSignal(given, place.at, left));
  return calls.ask(doing, act, own);
}

/** It ends in order, and says how far it came: by its own time, or else by the client's. */
function keepTo(
  { timeout, untilSignal }: Asking,
  doing: string,
  place: number,
  method: Method,
  given: readonly unknown[],
): Promise<unknown> {
  const all = [...given];
  const options = all[place] === undefined ? {} : all[place];
  // What is no object the method refuses.
  if (timeout !== undefined && typeof options === "object" && options !== null)
    all[place] = withDefaults(options, { timeout });
  return untilSignal(doing, async (left): Promise<unknown> =>
    Reflect.apply(method, undefined, withSignal(all, place, left)),
  );
}

/**
 * What counts where an option is not given; either signal ends it. What is no object whoever is
 * given it refuses.
 */
function withDefaults<Options extends object, Defaults extends object>(
  options: Options,
  defaults: Defaults,
): Options & Defaults {
  if (typeof options !== "object" || (options as object | null) === null) return options as never;
  const given = { ...options } as Record<string, unknown>;
  for (const [name, value] of Object.entries(defaults)) given[name] ??= value;
  const { signal: own } = options as Pick<CallLimits, "signal">;
  const { signal } = defaults as Pick<CallLimits, "signal">;
  return { ...given, ...eitherSignal(own ?? undefined, signal) } as Options & Defaults;
}

/** A call's own time counts instead of the client's; whichever signal is aborted first ends it. */
export function bothLimits(of: CallLimits = {}, own: CallLimits = {}): CallLimits | undefined {
  const { timeout = of.timeout } = own;
  const { signal } = eitherSignal(own.signal, of.signal);
  if (timeout === undefined && signal === undefined) return undefined;
  return defined({ timeout, signal });
}

/**
 * The one that is aborted first, as an option; none where there is none. Nothing has to be taken
 * away from a signal that outlives the call. What is no signal whoever is given it refuses.
 */
function eitherSignal(
  own: AbortSignal | undefined,
  left: AbortSignal | undefined,
): { readonly signal?: AbortSignal } {
  if (own === undefined || left === undefined) return defined({ signal: own ?? left });
  if (own === left || typeof own.addEventListener !== "function") return { signal: own };
  return { signal: AbortSignal.any([followed(own), followed(left)]) };
}

const FOLLOWERS = new WeakMap<AbortSignal, AbortSignal>();

/** A test's environment may have an AbortSignal of its own, which Node's can't follow by itself. */
function followed(signal: AbortSignal): AbortSignal {
  if (signal instanceof AbortSignal) return signal;
  const foreign = signal as AbortSignal;
  const known = FOLLOWERS.get(foreign);
  if (known !== undefined) return known;
  const follower = new AbortController();
  const abort = (): void => follower.abort(foreign.reason);
  if (foreign.aborted) abort();
  else foreign.addEventListener("abort", abort, { once: true });
  FOLLOWERS.set(foreign, follower.signal);
  return follower.signal;
}

function withSignal(
  given: readonly unknown[],
  place: number,
  left: AbortSignal | undefined,
): readonly unknown[] {
  const options = given[place] as { readonly signal?: AbortSignal } | null | undefined;
  const isNone = options !== undefined && (typeof options !== "object" || options === null);
  if (left === undefined || isNone) return given;
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
