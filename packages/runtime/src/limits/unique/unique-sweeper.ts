import {
  type Broker,
  type Clock,
  type Document,
  FREED_MEMORY_MS,
  type Logger,
  mayBeAwaited,
  readClaim,
  recordError,
  type Timer,
  UNIQUE_BUCKET,
  windowEnd,
} from "@millrace/core";

export interface UniqueSweeperHost {
  readonly node: string;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly log: Logger;
}

const SWEEP_EVERY_MS = 300_000;
const LOCK = "leader/unique-sweeper";
/** Longer than a sweep takes; two at once do no harm. */
const LOCK_LEASE_MS = 60_000;

/**
 * Erases claims that say nothing any more: keys that were freed a while ago, and windows that are
 * over. One node of the fleet at a time, and only where unique jobs are met. What it leaves undone
 * stands in nobody's way.
 */
export class UniqueSweeper {
  readonly #host: UniqueSweeperHost;
  #state: "asleep" | "awake" | "stopped" = "asleep";
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

  /** Idempotent. Waits for a sweep under way to notice. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#timer?.cancel();
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
        await this.#eraseStale();
      } finally {
        await broker.locks.release(lock);
      }
    } catch (error) {
      log.debug({ error: recordError(error) }, "old claims on unique keys stay for now");
    }
  }

  async #eraseStale(): Promise<void> {
    const documents = await this.#host.broker.documents(UNIQUE_BUCKET);
    const [claims, now] = [await documents.list(), await documents.now()];
    for (const document of claims) {
      if (this.#state === "stopped") return;
      if (isStale(document, now)) await documents.erase(document.key, document.revision);
    }
  }
}

/**
 * A window's key is remembered as long as a freed one: what was enqueued while it was held may be
 * met later. Where a job that gave way is still to come, the claim tells so until then.
 */
function isStale(document: Document, now: number): boolean {
  const stored = readClaim(document);
  const freedAt = stored.claim.state === "freed" ? stored.updatedAt : windowEnd(stored);
  if (freedAt === undefined || now - freedAt <= FREED_MEMORY_MS) return false;
  return !mayBeAwaited(stored.claim, now);
}
