import {
  type AnyJob,
  type BlockedStore,
  type Clock,
  crashesOf,
  type Envelope,
  type LockClaim,
  type LockStore,
  type Logger,
  type MetricsCollector,
  recordError,
  type SingletonRule,
  type Timer,
} from "@millrace/core";
import type { HeldLease } from "../lock/lock-request.ts";
import { takeLock } from "../lock/take-lock.ts";
import type { BackgroundRetries } from "../service/background-retries.ts";
import { type EntrantKey, keyOfPayload } from "./key/entrant-key.ts";
import { type Entrant, type Limit, mayBeBlockedAlready, type Entry } from "./limit.ts";
import { payloadSingletonLock, singletonLock } from "./gate-names.ts";

export interface SingletonLimitOptions {
  readonly node: string;
  readonly locks: LockStore;
  readonly blocked: Pick<BlockedStore, "release">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsCollector;
  readonly leaseMs: number;
  readonly retries: BackgroundRetries;
  /** Queues whose jobs may share a key with another queue's. */
  readonly sharedQueues: readonly string[];
  /** In [0, 1), for the jitter of waiters. */
  readonly random: () => number;
}

/** What this node knows of a lock. `here`: one of its own jobs has it, or is taking it. */
interface Known {
  here: boolean;
  /** Its job has ended, and it is being released. */
  leaving: Promise<void> | undefined;
  /** Was sent and got no answer: the lock may be this node's, and no job has it. */
  unanswered: LockClaim | undefined;
  /** When that was sent last, by the monotonic clock. */
  sentMs: number;
  /** Another node has it; believed until then, by the monotonic clock. */
  elsewhereUntilMs: number;
  lookAgain: Timer | undefined;
}

const WAITED = { kind: "singleton", outcome: "taken" };
const ELSEWHERE_MS = 250;
const LOOK_AGAIN_MS = 50;

/**
 * At most one job with the same key runs in the fleet, by a lock whose token its handler is given.
 */
export class SingletonLimit implements Limit {
  readonly #options: SingletonLimitOptions;
  readonly #locks = new Map<string, Known>();

  constructor(options: SingletonLimitOptions) {
    this.#options = options;
  }

  concerns(_envelope: Envelope, job: AnyJob): boolean {
    return job.singleton !== undefined;
  }

  async enter(entrant: Entrant): Promise<Entry> {
    const { envelope, job } = entrant;
    const rule = job.singleton as SingletonRule<unknown>;
    const found = lockOf(envelope, job, rule);
    if (typeof found !== "string") return found;
    const name = found;
    const known = this.#knownOf(name);
    const { origin, headers } = entrant.message;
    const letIn = origin === "runtime" && headers["millrace-gate"] === name;
    const skips = maySkip(entrant, rule);
    // Its end may be known to the producer of this job already.
    if (skips) await known.leaving;
    // A job that would not run at all is not told so by what was heard a moment ago.
    const isElsewhere = !letIn && !skips && this.#now() < known.elsewhereUntilMs;
    if (mayBeBlockedAlready(entrant) || known.here || isElsewhere)
      return this.#refuse(entrant, rule, name, known);
    const askedAt = this.#now();
    const lease = await this.#take(envelope.queue, name, known);
    if (lease === undefined) {
      known.elsewhereUntilMs = this.#now() + ELSEWHERE_MS;
      return this.#refuse(entrant, rule, name, known);
    }
    this.#observeWait(entrant, letIn, this.#now() - askedAt);
    return {
      entered: {
        token: lease.token,
        gate: name,
        onLost: (listener) => {
          if (!lease.isHeld()) listener();
          else lease.signal.addEventListener("abort", listener, { once: true });
        },
        leave: async () => {
          await this.#release(lease, known);
          await this.#letInSurely(envelope.queue, name, known);
        },
      },
    };
  }

  /**
   * Whether a call that failed was carried out is found by calling with the same claim again. If no
   * job does, this does in the background: a lock that was had without anybody's learning of it
   * would keep all others out until its lease is over.
   */
  async #take(queue: string, name: string, known: Known): Promise<HeldLease | undefined> {
    const { locks, clock, log, node: holder, leaseMs, random } = this.#options;
    const before = known.unanswered;
    const claim = before ?? { holder, leaseMs };
    known.unanswered = claim;
    known.sentMs = this.#now();
    known.here = true;
    try {
      const request = { name, holder, leaseMs, waitMs: 0 };
      const lease = await takeLock({ locks, clock, log, random }, request, claim);
      known.unanswered = undefined;
      known.here = lease !== undefined;
      return lease;
    } catch (error) {
      known.here = false;
      if (before === undefined) this.#resolveLater(queue, name, known, claim);
      throw error;
    }
  }

  /** For as long as what was sent last may be stored yet, or stands: it may be shown late. */
  #resolveLater(queue: string, name: string, known: Known, claim: LockClaim): void {
    const { retries, locks, leaseMs, node } = this.#options;
    const isOpen = (): boolean =>
      known.unanswered === claim &&
      this.#locks.get(name) === known &&
      this.#now() < known.sentMs + 2 * leaseMs;
    void retries
      .run(async () => {
        if (!isOpen()) return;
        if (known.here) throw new Error("a job asks for it at this moment");
        const view = await locks.look(name);
        if (!isOpen() || known.here || view?.holder !== node)
          throw new Error("it is not seen to be this node's");
        const lease = await this.#take(queue, name, known);
        if (lease === undefined) return;
        await this.#release(lease, known);
        await this.#letInSurely(queue, name, known);
      }, 2 * leaseMs)
      .then(() => {
        if (isOpen()) this.#resolveLater(queue, name, known, claim);
        else if (known.unanswered === claim) known.unanswered = undefined;
      });
  }

  async #release(lease: HeldLease, known: Known): Promise<void> {
    known.leaving = lease.release();
    await known.leaving;
    known.leaving = undefined;
    known.here = false;
  }

  close(): Promise<void> {
    for (const { lookAgain } of this.#locks.values()) lookAgain?.cancel();
    this.#locks.clear();
    return Promise.resolve();
  }

  #refuse(entrant: Entrant, rule: SingletonRule<unknown>, name: string, known: Known): Entry {
    if (maySkip(entrant, rule))
      return {
        refusal: {
          kind: "cancelled",
          reason: `Skipped: another job runs under ${name} (singleton, onBusy: "skip").`,
        },
      };
    const { queue } = entrant.envelope;
    return {
      refusal: { kind: "blocked", gate: name },
      afterwards: async () => this.#lookAgain(queue, name, known),
    };
  }

  /**
   * The lock may have come free before the job was blocked; whoever has it here looks when it
   * leaves.
   */
  #lookAgain(queue: string, name: string, known: Known): void {
    if (known.here) return;
    known.lookAgain ??= this.#options.clock.setTimer(LOOK_AGAIN_MS, () => {
      known.lookAgain = undefined;
      this.#letInIfFree(queue, name, known).catch((error: unknown) => {
        const { log, retries, leaseMs } = this.#options;
        log.warn(
          { lock: name, error: recordError(error) },
          "whether a lock is free could not be seen; trying again",
        );
        void retries.run(() => this.#letInIfFree(queue, name, known), leaseMs);
      });
    });
  }

  /**
   * The lock is free, or will be soon: an outage may have kept it from being released, and this
   * node from letting in the next.
   */
  async #letInSurely(queue: string, name: string, known: Known): Promise<void> {
    const { retries, leaseMs, locks, node } = this.#options;
    try {
      await this.#letIn(queue, name);
    } catch (error) {
      void retries.run(async () => {
        if (known.here) return;
        const view = await locks.look(name);
        if (view?.holder === node)
          throw new Error("it could not be released yet", { cause: error });
        if (view === undefined) await this.#letIn(queue, name);
      }, leaseMs);
      throw error;
    }
  }

  async #letInIfFree(queue: string, name: string, known: Known): Promise<void> {
    if (known.here || (await this.#options.locks.look(name)) !== undefined) return;
    await this.#letIn(queue, name);
  }

  async #letIn(queue: string, name: string): Promise<void> {
    const { blocked, sharedQueues } = this.#options;
    const queues = sharedQueues.includes(queue)
      ? [queue, ...sharedQueues.filter((other) => other !== queue)]
      : [queue];
    for (const of of queues) if ((await blocked.release(of, name, 1)) > 0) return;
  }

  /** From when the job was blocked, where it was; asking for the lock is part of the wait. */
  #observeWait({ message }: Entrant, letIn: boolean, askedMs: number): void {
    const { metrics, clock, log } = this.#options;
    const blockedAt = letIn ? Number(message.headers["millrace-blocked-at"]) : Number.NaN;
    const waitedMs = Number.isNaN(blockedAt) ? askedMs : Math.max(askedMs, clock.now() - blockedAt);
    try {
      metrics.observe("millrace_lock_wait_seconds", WAITED, waitedMs / 1_000);
    } catch (error) {
      log.error({ error: recordError(error) }, "the metrics collector threw");
    }
  }

  #knownOf(name: string): Known {
    const known = this.#locks.get(name);
    if (known !== undefined) return known;
    for (const [other, { here, unanswered, elsewhereUntilMs, lookAgain }] of this.#locks) {
      const isQuiet = !here && unanswered === undefined && lookAgain === undefined;
      if (isQuiet && elsewhereUntilMs <= this.#now()) this.#locks.delete(other);
    }
    const fresh: Known = {
      here: false,
      leaving: undefined,
      unanswered: undefined,
      sentMs: 0,
      elsewhereUntilMs: 0,
      lookAgain: undefined,
    };
    this.#locks.set(name, fresh);
    return fresh;
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }
}

/** The lock's name, or how the job is settled because its payload gives no key. */
function lockOf(
  envelope: Envelope,
  job: AnyJob,
  { key }: SingletonRule<unknown>,
): string | Exclude<EntrantKey, { readonly key: string }> {
  if (typeof key !== "function") return singletonLock(key ?? job.name);
  const found = keyOfPayload(envelope, key, "singleton.key");
  return "refusal" in found ? found : payloadSingletonLock(found.key);
}

/**
 * What was under way once is not skipped: its own dead holder may be the one that still has the
 * lock.
 */
function maySkip(entrant: Entrant, { onBusy }: SingletonRule<unknown>): boolean {
  const { attempts, interruptions, snoozes } = entrant.envelope;
  const hasBegun = attempts > 0 || interruptions > 0 || snoozes > 0 || crashesOf(entrant) > 0;
  return onBusy === "skip" && !hasBegun;
}
