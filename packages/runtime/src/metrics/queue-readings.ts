import {
  type Broker,
  type Clock,
  type GaugeName,
  type Logger,
  type MetricsCollector,
  type QueueSnapshot,
  recordError,
  type Stoppable,
  type Timer,
} from "@millrace/core";
import type { HeldLease } from "../lock/lock-request.ts";
import { takeLock } from "../lock/take-lock.ts";
import { MachineReadings } from "./machine-readings.ts";

export interface QueueReadingsHost {
  readonly node: string;
  readonly broker: Pick<Broker, "inbox" | "locks" | "queues">;
  readonly clock: Clock;
  readonly metrics: MetricsCollector;
  readonly log: Logger;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
}

const ROLE = { role: "queue-metrics" };
const READER_LOCK = "leader/queue-metrics";
/** How long queues go unread when the reader has died. */
const LEASE_MS = 30_000;
/** Between two tries to become the reader. */
const TRY_EVERY_MS = 10_000;
/** Several scrapers, or a scrape and an export, share a reading. */
const FRESH_MS = 5_000;
/**
 * Readings take this share of the time at most, however long the server needs for them. One long
 * reading may be an election, which is no work.
 */
const LARGEST_SHARE = 0.05;
/**
 * A reader that nobody collects from keeps the others from reading. Longer than usual intervals of
 * scrapes and exports.
 */
const IDLE_MS = 180_000;

const GAUGES = {
  millrace_queue_depth: ({ queued }) => queued,
  millrace_queue_inflight: ({ running }) => running,
  millrace_queue_delayed: ({ delayed }) => delayed,
  millrace_queue_blocked: ({ blocked }) => blocked,
  millrace_queue_dead_letters: ({ dead }) => dead,
  millrace_queue_max_jobs: ({ maxJobs }) => maxJobs,
  millrace_queue_oldest_job_age_seconds: ({ oldestAgeMs }) => oldestAgeMs / 1_000,
} as const satisfies Partial<Record<GaugeName, (snapshot: QueueSnapshot) => number | undefined>>;
const GAUGE_NAMES = Object.keys(GAUGES) as (keyof typeof GAUGES)[];

type State =
  /** Not before `tryAt`, monotonic, does it ask again for the lock. */
  | { readonly kind: "bystander"; readonly tryAt: number }
  /** Not before `readAt`, monotonic, does it read again. */
  | { readonly kind: "reader"; readonly lease: HeldLease; readonly readAt: number }
  | { readonly kind: "stopped" };

/**
 * Tells how full the queues of the namespace are, on one node of the fleet: the one that holds a
 * lock and is collected from. It reads when it is collected from and at no other time, so a fleet
 * that nobody scrapes asks the server nothing, and one of hundreds of nodes asks it as often as one
 * node would.
 *
 * `bystander ⇄ reader`, and `stopped` from both. Both change only here, inside of `#look`, and one
 * look is under way at a time.
 */
export class QueueReadings implements Stoppable {
  readonly #host: QueueReadingsHost;
  #state: State = { kind: "bystander", tryAt: Number.NEGATIVE_INFINITY };
  /** The queues whose gauges are set. */
  #told = new Set<string>();
  readonly #machines: MachineReadings;
  /** The look under way, if there is one. */
  #looking: Promise<void> | undefined;
  #idle: Timer | undefined;
  readonly #stopping = new AbortController();
  /** The last reading that succeeded. */
  #tookBeforeMs = 0;
  /** Failed readings since the last that succeeded. The first is worth a warning. */
  #failures = 0;

  constructor(host: QueueReadingsHost) {
    this.#host = host;
    this.#machines = new MachineReadings(host);
  }

  /** To be called whenever values are collected. Never rejects. */
  collect(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /**
   * Leaves the reading to others. What is being read is not waited for: it tells nothing any more.
   */
  async stop(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: "stopped" };
    this.#idle?.cancel();
    this.#forgetAll();
    this.#stopping.abort();
    if (state.kind === "reader") await state.lease.release();
    // A lock that is being taken is given back first.
    if (state.kind === "bystander") await this.#looking;
  }

  get #isStopped(): boolean {
    return this.#state.kind === "stopped";
  }

  async #look(): Promise<void> {
    try {
      if (this.#state.kind === "reader" && !this.#state.lease.isHeld()) this.#yield();
      if (this.#state.kind === "bystander") await this.#candidate(this.#state.tryAt);
      if (this.#state.kind === "reader") await this.#read(this.#state);
    } catch (error) {
      this.#failed(error);
    }
  }

  async #candidate(tryAt: number): Promise<void> {
    const { broker, clock, log, node, metrics, random } = this.#host;
    if (clock.monotonic() < tryAt) return;
    this.#state = { kind: "bystander", tryAt: clock.monotonic() + TRY_EVERY_MS };
    const lease = await takeLock(
      { locks: broker.locks, clock, log, random },
      {
        name: READER_LOCK,
        holder: node,
        leaseMs: LEASE_MS,
        waitMs: 0,
        signal: this.#stopping.signal,
      },
    );
    if (lease === undefined) return;
    if (this.#isStopped) return lease.release();
    this.#state = { kind: "reader", lease, readAt: Number.NEGATIVE_INFINITY };
    metrics.gauge("millrace_leader", ROLE, 1);
    lease.signal.addEventListener("abort", () => this.#yield(lease), { once: true });
  }

  async #read({ lease, readAt }: Extract<State, { kind: "reader" }>): Promise<void> {
    const { broker, clock } = this.#host;
    this.#expectMore(lease);
    const beganAt = clock.monotonic();
    if (beganAt < readAt) return;
    const snapshots = await broker.queues.list();
    const backlogs = await this.#machines.read(() => this.#isStopped);
    if (this.#state.kind !== "reader" || this.#state.lease !== lease || !lease.isHeld()) return;
    const now = clock.monotonic();
    const tookMs = now - beganAt;
    const restMs = Math.max(FRESH_MS, Math.min(tookMs, this.#tookBeforeMs) / LARGEST_SHARE);
    this.#tookBeforeMs = tookMs;
    this.#state = { kind: "reader", lease, readAt: now + restMs };
    this.#failures = 0;
    this.#tell(snapshots);
    this.#machines.tell(backlogs);
  }

  #tell(snapshots: readonly QueueSnapshot[]): void {
    const { metrics } = this.#host;
    const gone = this.#told;
    this.#told = new Set(snapshots.map(({ queue }) => queue));
    for (const snapshot of snapshots)
      for (const name of GAUGE_NAMES)
        metrics.gauge(name, { queue: snapshot.queue }, GAUGES[name](snapshot));
    for (const queue of gone) if (!this.#told.has(queue)) this.#forget(queue);
  }

  /** What was read before is no longer so: no value is better than an old one. */
  #failed(error: unknown): void {
    const { clock, metrics, log } = this.#host;
    if (this.#isStopped) return;
    this.#forgetAll();
    if (this.#state.kind !== "reader") {
      log.debug(
        { error: recordError(error) },
        "whether another node reads the queues is not known",
      );
      return;
    }
    this.#state = { ...this.#state, readAt: clock.monotonic() + FRESH_MS };
    metrics.increment("millrace_queue_readings_failed_total", {});
    this.#failures += 1;
    log[this.#failures === 1 ? "warn" : "debug"](
      { error: recordError(error) },
      "the queues could not be read for their metrics",
    );
  }

  #expectMore(lease: HeldLease): void {
    this.#idle?.cancel();
    this.#idle = this.#host.clock.setTimer(IDLE_MS, () => {
      this.#yield(lease);
      void lease.release();
    });
  }

  /** @param lease what is over, where it may have been followed by another already */
  #yield(lease?: HeldLease): void {
    if (this.#state.kind !== "reader" || (lease !== undefined && this.#state.lease !== lease))
      return;
    this.#idle?.cancel();
    this.#state = {
      kind: "bystander",
      tryAt: this.#host.clock.monotonic() + TRY_EVERY_MS,
    };
    this.#host.metrics.gauge("millrace_leader", ROLE, 0);
    this.#forgetAll();
  }

  #forgetAll(): void {
    for (const queue of this.#told) this.#forget(queue);
    this.#told = new Set();
    this.#machines.forget();
  }

  #forget(queue: string): void {
    for (const name of GAUGE_NAMES) this.#host.metrics.gauge(name, { queue }, undefined);
  }
}
