import {
  type Broker,
  type Clock,
  type Document,
  type DocumentStore,
  type Logger,
  MillraceError,
  recordError,
  someAtATime,
  type Timer,
} from "@millrace/core";

export interface LeaderSweepHost {
  readonly node: string;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface LeaderSweepOptions extends LeaderSweepHost {
  /** Whoever has it sweeps. */
  readonly lock: string;
  /** What is said where a sweep fails. */
  readonly failed: string;
  /** Given up once it is aborted: nothing that it reads is waited for. */
  readonly sweep: (signal: AbortSignal) => Promise<void>;
}

const SWEEP_EVERY_MS = 300_000;
/** Longer than a sweep takes; two at once do no harm. */
const LOCK_LEASE_MS = 60_000;
const PAGE = 500;
const ERASED_AT_ONCE = 16;

/** Sweeps every five minutes once there is something to sweep: one node of the fleet at a time. */
export class LeaderSweep {
  readonly #options: LeaderSweepOptions;
  #state: "asleep" | "awake" | "stopped" = "asleep";
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;
  #sweep: Promise<void> | undefined;

  constructor(options: LeaderSweepOptions) {
    this.#options = options;
  }

  /** There will be something to sweep. */
  wake(): void {
    if (this.#state !== "asleep") return;
    this.#state = "awake";
    this.#plan();
  }

  /** Idempotent. A sweep under way is given up. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#timer?.cancel();
    this.#stopping.abort(new MillraceError("connection-closed", "The node stops."));
    await this.#sweep;
  }

  #plan(): void {
    this.#timer = this.#options.clock.setTimer(SWEEP_EVERY_MS, () => {
      this.#sweep = this.#sweepAsLeader().then(() => {
        this.#sweep = undefined;
        if (this.#state === "awake") this.#plan();
      });
    });
  }

  async #sweepAsLeader(): Promise<void> {
    const { broker, node, log, lock: name, failed, sweep } = this.#options;
    try {
      const lock = await broker.locks.acquire(name, { holder: node, leaseMs: LOCK_LEASE_MS });
      if (lock === undefined) return;
      try {
        const { signal } = this.#stopping;
        if (!signal.aborted) await this.#untilStopped(sweep(signal));
      } finally {
        await broker.locks.release(lock);
      }
    } catch (error) {
      log.debug({ error: recordError(error) }, failed);
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
}

/**
 * Goes through the documents that were last written until then, oldest first and part by part:
 * there may be hundreds of thousands.
 *
 * @param until epoch milliseconds of the server's clock
 * @param isOver whether one says nothing any more: it is erased
 */
export async function eraseOver(
  documents: DocumentStore,
  until: number,
  signal: AbortSignal,
  isOver: (document: Document) => boolean,
): Promise<void> {
  let after = 0;
  for (;;) {
    const page = await documents.page({ order: "oldest first", after, limit: PAGE });
    const over = page.documents.filter((one) => one.updatedAt <= until && isOver(one));
    const erase = async ({ key, revision }: Document): Promise<void> => {
      if (!signal.aborted) await documents.erase(key, revision);
    };
    await someAtATime(over, erase, ERASED_AT_ONCE);
    const isLast = page.documents.some(({ updatedAt }) => updatedAt > until);
    if (page.next === undefined || isLast || signal.aborted) return;
    after = page.next;
  }
}
