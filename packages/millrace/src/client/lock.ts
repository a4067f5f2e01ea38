import { hostname } from "node:os";
import {
  type Clock,
  type Duration,
  formatMs,
  type Instrumentation,
  type LockStore,
  type MetricsCollector,
  MillraceError,
  optionNames,
  refuseUnknown,
  requireFunction,
  requireLockName,
  silentLogger,
  toMs,
} from "@millrace/core";
import { type HeldLease, takeLock } from "@millrace/runtime";
import { waitWithin } from "./wait-within.ts";

/** How long a lock is waited for, and how long it outlives its process. */
export interface LockOptions {
  /**
   * How long the lock outlives a process that died with it. It is renewed every third of this, and
   * lost when no renewal comes through for five sixths of it. Default `"30s"`.
   */
  readonly lease?: Duration;
  /**
   * How long to wait for another holder; 0 tries once. Default: for ever. Where the server does not
   * answer, a call ends when this is over, with `request-timeout`; after two seconds where this is
   * shorter.
   */
  readonly wait?: Duration;
  /** Ends the waiting. It does not reach the function once that runs. */
  readonly signal?: AbortSignal;
}

/** So long a try may take, however short the wait. */
const TRY_MS = 2_000;
/** The lock's own end of the wait comes first: it knows whether another holds it. */
const TELL_MS = 50;

const NAMES = optionNames<LockOptions>({ lease: true, wait: true, signal: true });

/** What a function that runs under a lock is given. */
export interface LockScope {
  /**
   * Greater than that of every holder before. Send it along with whatever the lock protects, and
   * let that refuse a token smaller than the greatest it has seen: a holder that was frozen can't
   * know in time that it lost the lock.
   */
  readonly token: number;
  /**
   * Aborted with MillraceError `lock-lost`, before another can have the lock by this process's
   * clock.
   */
  readonly signal: AbortSignal;
  /** Whether the lock is still held; compares the clock. Ask right before what can't be undone. */
  isHeld(): boolean;
}

/** `millrace.lock`, on any store. */
export async function withLock<Result>(
  store: {
    readonly locks: LockStore;
    readonly clock: Clock;
    readonly metrics: MetricsCollector;
    readonly instrumentation: Instrumentation | undefined;
  },
  name: string,
  options: LockOptions,
  run: (scope: LockScope) => Result | PromiseLike<Result>,
): Promise<Result> {
  requireLockName(name);
  refuseUnknown(options, NAMES, "lock()");
  // Before anything is locked, and waited for.
  requireFunction(run, "run");
  const { lease: leaseLength = "30s", wait, signal } = options;
  const waitMs = wait === undefined ? Number.POSITIVE_INFINITY : toMs(wait, "wait");
  const askedAt = store.clock.monotonic();
  const waited = (token: number | undefined): void => {
    const waitedMs = store.clock.monotonic() - askedAt;
    const outcome = token === undefined ? "busy" : "taken";
    try {
      store.metrics.observe(
        "millrace_lock_wait_seconds",
        { kind: "lock", outcome },
        waitedMs / 1_000,
      );
      store.instrumentation?.lockWaited?.({ name, waitedMs, token });
    } catch {
      // The lock is held by now: a collector that throws must not keep it from being used and
      // released.
    }
  };
  const leaseMs = toMs(leaseLength, "lease");
  const ms = Math.max(waitMs + TELL_MS, TRY_MS);
  const time = wait === undefined ? undefined : { ms, tooLate: () => unanswered(name, ms) };
  // A lock that is granted after that is released again.
  const lease = await waitWithin({ clock: store.clock, signal, time }, (over) =>
    takeLock(
      { ...store, log: silentLogger, random: Math.random },
      {
        ...{ name: userLock(name), holder: `${hostname()}:${process.pid}` },
        ...{ leaseMs, waitMs, signal: over },
      },
    ),
  );
  waited(lease?.token);
  if (lease === undefined) throw busy(name, waitMs);
  try {
    return await runUnder(lease, name, run);
  } finally {
    await lease.release();
  }
}

/** Locks of users and of the runtime itself never meet. */
export function userLock(name: string): string {
  return `user/${name}`;
}

async function runUnder<Result>(
  lease: HeldLease,
  name: string,
  run: (scope: LockScope) => Result | PromiseLike<Result>,
): Promise<Result> {
  const { token, signal } = lease;
  let result: Result;
  try {
    result = await run({ token, signal, isHeld: () => lease.isHeld() });
  } catch (error) {
    if (lease.isHeld()) throw error;
    throw lost(name, error);
  }
  if (lease.isHeld()) return result;
  throw lost(name, { returned: result });
}

function lost(name: string, cause: unknown): MillraceError {
  return new MillraceError(
    "lock-lost",
    `The lock ${name} was lost while the function ran under it: another may have run at the same time. Its result is not to be trusted; the error's cause holds it.`,
    { cause },
  );
}

/** Whether another holds it is not known: who is told that it is busy may leave work undone. */
function unanswered(name: string, ms: number): MillraceError {
  return new MillraceError(
    "request-timeout",
    `The server did not say within ${formatMs(ms)} whether the lock ${name} is free. Try again.`,
  );
}

function busy(name: string, waitMs: number): MillraceError {
  return new MillraceError(
    "lock-busy",
    `The lock ${name} is held by another and did not become free within ${waitMs} ms. Try again later, or wait longer.`,
  );
}
