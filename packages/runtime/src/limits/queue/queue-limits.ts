import {
  type Broker,
  type Clock,
  type Logger,
  type QueueControls,
  recordError,
  type Timer,
} from "@millrace/core";
import { PermitPool } from "./permit-pool.ts";
import { nextDemand, waitingLineName } from "./permit-share.ts";
import type { LimitedWorker } from "./limited-worker.ts";
import { TokenCache } from "./token-cache.ts";

export interface QueueLimitsHost {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  /** The node. */
  readonly node: string;
}

export interface QueueLimitsOptions {
  readonly queue: string;
  readonly leaseMs: number;
  /** The queue's cap while no control says another. */
  readonly concurrency: number | undefined;
}

/** So long something has to lie unused before it goes back. */
const IDLE_MS = 1_000;
/** The last permit of an idle node, where others wait. In ticks of `IDLE_MS`. */
const YIELD_TICKS = 5;
/** A process that did not look for so long may have been frozen. */
const UNWATCHED_MS = 500;

/**
 * How many jobs of a queue this node may pull now: none while the queue is paused, no more than its
 * permits of the queue's cap and its tokens of the queue's rate cover. Permits and tokens are had
 * before a job is pulled, so that no job waits in a node's hands.
 *
 * What lies idle goes back; before it does, the pulls that it covers are withdrawn.
 */
export class QueueLimits {
  readonly #host: QueueLimitsHost;
  readonly #options: QueueLimitsOptions;
  readonly #worker: LimitedWorker;
  #paused = false;
  #pool: PermitPool | undefined;
  #tokens: TokenCache | undefined;
  #state: "idle" | "open" | "stopping" | "closed" = "idle";
  /** Nothing limits it: the way of every job of a queue without controls. */
  #unlimited = true;
  /** How many want the pulls withdrawn at the moment. */
  #withdrawing = 0;
  #tick: Timer | undefined;
  /** The most jobs in hand since the last tick. */
  #peak = 0;
  #idleTicks = 0;
  #lookedAt = 0;
  #roomSince = 0;

  constructor(host: QueueLimitsHost, options: QueueLimitsOptions, worker: LimitedWorker) {
    this.#host = host;
    this.#options = options;
    this.#worker = worker;
    this.apply({});
  }

  /** Takes over what is set for the queue now. */
  apply({ paused, concurrency, rate }: QueueControls): void {
    this.#setPaused(paused !== undefined);
    this.#setCap(concurrency ?? this.#options.concurrency);
    this.#setRate(rate);
    this.#unlimited = !this.#paused && this.#pool === undefined && this.#tokens === undefined;
    if (this.#unlimited) this.#roomMade();
    this.changed();
  }

  /** The worker's subscription is there, and pulls for what there is room for. */
  attach(): void {
    if (this.#state === "idle") this.#state = "open";
    if (this.#paused || this.#withdrawing > 0) void this.#worker.pause();
    this.changed();
  }

  /** How many more jobs may be pulled, of so many free slots. */
  room(free: number): number {
    if (this.#unlimited) return free;
    if (this.#paused) return 0;
    const permitted = (this.#pool?.allowance ?? Infinity) - this.#worker.used();
    return Math.max(0, Math.min(free, permitted, this.#tokens?.tokens ?? Infinity));
  }

  /** When there was last no room, so that silence meant nothing; `Clock.monotonic()`. */
  get roomSince(): number {
    return this.room(1) === 0 ? this.#host.clock.monotonic() : this.#roomSince;
  }

  /**
   * Of a job that has just come into the worker's hands.
   * @returns false where it has to go back unspent
   */
  admit(): boolean {
    if (this.#unlimited) return true;
    const used = this.#worker.used();
    this.#peak = Math.max(this.#peak, used);
    if (this.#pool !== undefined) {
      const now = this.#host.clock.monotonic();
      if (now - this.#lookedAt > UNWATCHED_MS) this.#pool.look();
      this.#lookedAt = now;
      if (used > this.#pool.allowance) return false;
    }
    return this.#tokens === undefined || this.#tokens.take();
  }

  /** The worker has a job more or less. */
  changed(): void {
    if (this.#unlimited) return;
    if (this.#state === "stopping") return void this.#pool?.release(this.#worker.used());
    if (this.#state !== "open") return;
    const used = this.#worker.used();
    const { slots } = this.#worker;
    const allowance = this.#pool?.allowance ?? Infinity;
    if (this.#pool !== undefined) {
      if (!this.#paused && used >= allowance && allowance < slots)
        this.#pool.seek(nextDemand(allowance, used, slots));
      else this.#pool.rest();
    }
    if (!this.#paused && Math.min(slots, allowance) > used) this.#tokens?.seek();
    this.#watch();
  }

  /** A job that had been admitted was settled without running. */
  putBack(): void {
    this.#tokens?.putBack();
  }

  /** Wants nothing more. What jobs still need stays until they have ended. */
  stop(): void {
    if (this.#state === "closed") return;
    this.#state = "stopping";
    this.#tick?.cancel();
    this.#pool?.rest();
    this.changed();
  }

  /** Gives everything back. Idempotent. */
  async close(): Promise<void> {
    this.stop();
    this.#state = "closed";
    await Promise.all([this.#pool?.close(), this.#tokens?.close()]);
  }

  #setPaused(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (this.#state !== "open") return;
    // What was on its way runs; nothing else is pulled.
    if (paused) void this.#withdraw(async () => this.#pool?.release(this.#worker.used()));
    else this.#resumeIfFree();
  }

  #setCap(cap: number | undefined): void {
    if (cap === this.#pool?.cap) return;
    this.#unlimited = false;
    if (cap === undefined) {
      void this.#pool?.close();
      this.#pool = undefined;
      return this.#roomMade();
    }
    if (this.#pool === undefined) this.#pool = this.#makePool(cap);
    else this.#pool.cap = cap;
    // More may be pulled for than there are permits now.
    if (this.#state === "open") void this.#withdraw(async () => {});
  }

  #makePool(cap: number): PermitPool {
    const { host, queue, leaseMs } = { host: this.#host, ...this.#options };
    return new PermitPool({
      host: { locks: host.broker.locks, clock: host.clock, log: host.log, random: host.random },
      queue,
      holder: host.node,
      leaseMs,
      cap,
      onGain: () => this.#roomMade(),
      onLoss: (slots) => this.#permitsLost(slots),
    });
  }

  #setRate(rate: QueueControls["rate"]): void {
    if (rate === undefined) {
      if (this.#tokens === undefined) return;
      void this.#tokens.close();
      this.#tokens = undefined;
      return this.#roomMade();
    }
    if (this.#tokens !== undefined) {
      this.#tokens.rate = rate;
      return;
    }
    this.#unlimited = false;
    const { broker, clock, log, node } = this.#host;
    const onGain = (): void => this.#roomMade();
    const { queue } = this.#options;
    this.#tokens = new TokenCache({ broker, clock, log, queue, holder: node, rate, onGain });
    if (this.#state === "open") void this.#withdraw(async () => {});
  }

  #roomMade(): void {
    this.#roomSince = this.#host.clock.monotonic();
    this.#worker.pull();
    this.changed();
  }

  #permitsLost(slots: number): void {
    const { queue } = this.#options;
    this.#host.log.warn({ queue, slots }, "permits of the queue's cap could not be kept");
    const over =
      this.#worker.used() - this.#worker.aborting() - (this.#pool?.allowance ?? Infinity);
    if (over > 0) this.#worker.abortLatest(Math.min(slots, over));
    if (this.#state === "open") void this.#withdraw(async () => {});
  }

  /** Does something once nothing that was pulled for can arrive any more. Never rejects. */
  async #withdraw(act: () => Promise<unknown>): Promise<void> {
    this.#withdrawing += 1;
    try {
      await this.#worker.pause();
      await act();
    } catch (error) {
      this.#host.log.warn(
        { queue: this.#options.queue, error: recordError(error) },
        "pulls of a queue could not be withdrawn",
      );
    } finally {
      this.#withdrawing -= 1;
      this.#resumeIfFree();
    }
  }

  #resumeIfFree(): void {
    if (this.#paused || this.#withdrawing > 0 || this.#state !== "open") return;
    this.#roomSince = this.#host.clock.monotonic();
    this.#worker.resume();
    this.changed();
  }

  /** Looks in a second whether something lies idle; not where there is nothing that could. */
  #watch(): void {
    const something = (this.#pool?.permits ?? 0) > 0 || (this.#tokens?.tokens ?? 0) > 1;
    if (!something || this.#tick !== undefined) return;
    this.#peak = this.#worker.used();
    this.#tick = this.#host.clock.setTimer(IDLE_MS, () => {
      this.#tick = undefined;
      if (this.#state !== "open") return;
      this.#giveBackIdle(this.#peak);
      this.#watch();
    });
  }

  #giveBackIdle(peak: number): void {
    const pool = this.#pool;
    const tokens = this.#tokens;
    const least = this.#paused ? 0 : 1;
    const spare = pool?.hasSpare(Math.max(least, peak)) === true;
    if (spare || (peak === 0 && (tokens?.tokens ?? 0) > 1)) {
      void this.#withdraw(async () => {
        const needed = Math.max(least, this.#peak, this.#worker.used());
        await Promise.all([pool?.release(needed), needed <= 1 ? tokens?.shrink() : undefined]);
      });
    }
    this.#idleTicks = peak === 0 && !spare ? this.#idleTicks + 1 : 0;
    if (this.#idleTicks < YIELD_TICKS || pool === undefined) return;
    this.#idleTicks = 0;
    void this.#yield(pool);
  }

  /**
   * One that waits may have work for it, or may only want to be ready; either way it had no turn
   * yet.
   */
  async #yield(pool: PermitPool): Promise<void> {
    try {
      const line = waitingLineName(this.#options.queue);
      if ((await this.#host.broker.locks.look(line)) === undefined) return;
    } catch (error) {
      this.#host.log.debug(
        { error: recordError(error) },
        "whether anybody waits for a permit could not be seen",
      );
      return;
    }
    await this.#withdraw(async () => {
      if (this.#worker.used() === 0 && this.#pool === pool) await pool.giveWay();
    });
  }
}
