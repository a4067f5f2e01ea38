import {
  type Broker,
  type Clock,
  type Document,
  type DocumentStore,
  FREED_MEMORY_MS,
  type Logger,
  mayBeAwaited,
  MillraceError,
  readClaim,
  recordError,
  type Timer,
  UNIQUE_BUCKET,
  type UniqueClaims,
  windowEnd,
} from "@millrace/core";

export interface UniqueSweeperHost {
  readonly node: string;
  readonly broker: Broker;
  readonly claims: UniqueClaims;
  readonly clock: Clock;
  readonly log: Logger;
}

const SWEEP_EVERY_MS = 300_000;
const LOCK = "leader/unique-sweeper";
/** Longer than a sweep takes; two at once do no harm. */
const LOCK_LEASE_MS = 60_000;
/** A claim that nobody has written for so long may be of a job that never came, or was purged. */
const LOOKED_FOR_AFTER_MS = 86_400_000;
/** For so long a sweep looks for such jobs: each look may read a queue from end to end. */
const LOOKS_MS = 10_000;

/**
 * Erases claims that say nothing any more: keys that were freed a while ago, windows that are over,
 * and, after a day, those whose job is nowhere. One node of the fleet at a time, and only where
 * unique jobs are met. What it leaves undone stands in nobody's way.
 */
export class UniqueSweeper {
  readonly #host: UniqueSweeperHost;
  #state: "asleep" | "awake" | "stopped" = "asleep";
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;
  #sweep: Promise<void> | undefined;

  constructor(host: UniqueSweeperHost) {
    this.#host = host;
  }

  /** A unique job was met: there will be something to sweep. */
  wake(): void {
    if (this.#state !== "asleep") return;
    this.#state = "awake";
    this.#plan();
  }

  /** Idempotent. A sweep under way is given up: nothing that it reads is waited for. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#timer?.cancel();
    this.#stopping.abort(new MillraceError("connection-closed", "The node stops."));
    await this.#sweep;
  }

  #plan(): void {
    this.#timer = this.#host.clock.setTimer(SWEEP_EVERY_MS, () => {
      this.#sweep = this.#sweepAsLeader().then(() => {
        this.#sweep = undefined;
        if (this.#state === "awake") this.#plan();
      });
    });
  }

  async #sweepAsLeader(): Promise<void> {
    const { broker, node, log } = this.#host;
    try {
      const lock = await broker.locks.acquire(LOCK, { holder: node, leaseMs: LOCK_LEASE_MS });
      if (lock === undefined) return;
      try {
        await this.#untilStopped(this.#eraseStale());
      } finally {
        await broker.locks.release(lock);
      }
    } catch (error) {
      log.debug({ error: recordError(error) }, "old claims on unique keys stay for now");
    }
  }

  async #untilStopped(work: Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    const stopped = Promise.withResolvers<void>();
    const stop = (): void => stopped.resolve();
    signal.addEventListener("abort", stop, { once: true });
    try {
      await Promise.race([work, stopped.promise]);
    } finally {
      signal.removeEventListener("abort", stop);
      // What is under way ends by itself, whatever of.
      work.catch(() => {});
    }
  }

  async #eraseStale(): Promise<void> {
    const documents = await this.#host.broker.documents(UNIQUE_BUCKET);
    const [claims, now] = [await documents.list(), await documents.now()];
    const old: Document[] = [];
    for (const document of claims) {
      if (this.#state === "stopped") return;
      const stored = readClaim(document);
      const freedAt = stored.claim.state === "freed" ? stored.updatedAt : windowEnd(stored);
      if (freedAt === undefined) {
        if (now - stored.updatedAt > LOOKED_FOR_AFTER_MS) old.push(document);
        continue;
      }
      // A window's key is remembered as long as a freed one: what was enqueued while it was held
      // may be met later. Where a job that gave way is still to come, the claim tells so until
      // then.
      if (now - freedAt > FREED_MEMORY_MS && !mayBeAwaited(stored.claim, now))
        await documents.erase(document.key, document.revision);
    }
    await this.#eraseAbandoned(documents, old, now);
  }

  /** One whose job is there is written anew by the look, so that others have their turn. */
  async #eraseAbandoned(
    documents: DocumentStore,
    old: readonly Document[],
    now: number,
  ): Promise<void> {
    const { claims, clock, log } = this.#host;
    const until = clock.monotonic() + LOOKS_MS;
    for (const document of old) {
      if (this.#state === "stopped" || clock.monotonic() >= until) return;
      const { key, revision } = document;
      const stored = readClaim(document);
      const place = { queue: key.slice(0, key.lastIndexOf(".")), document: key };
      try {
        const { signal } = this.#stopping;
        const standing = await claims.standing(place, stored, { young: "look", signal });
        if (signal.aborted) return;
        if (standing.kind !== "free" || mayBeAwaited(stored.claim, now)) continue;
        // The node that has its job just now frees the key itself.
        const isOver = now - (standing.since ?? 0) > FREED_MEMORY_MS;
        if (isOver) await documents.erase(key, revision);
      } catch (error) {
        if (!MillraceError.is(error)) throw error;
        log.debug({ key, error: recordError(error) }, "an old claim on a unique key stays for now");
      }
    }
  }
}
