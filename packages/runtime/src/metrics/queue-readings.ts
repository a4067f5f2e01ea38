import {
  type Broker,
  type Clock,
  type Logger,
  type MetricsCollector,
  recordError,
  type Stoppable,
  type Timer,
} from "@millrace/core";
import type { HeldLease } from "../lock/lock-request.ts";
import { takeLock } from "../lock/take-lock.ts";
import { MachineReadings } from "./machine-readings.ts";
import { QueueGauges } from "./queue-gauges.ts";
import { FRESH_MS, ReadingPace } from "./reading-pace.ts";

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
/**
 * A reader that nobody collects from keeps the others from reading. Longer than usual intervals of
 * scrapes and exports.
 */
const IDLE_MS = 180_000;

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
  readonly #queues: QueueGauges;
  readonly #machines: MachineReadings;
  /** The look under way, if there is one. */
  #looking: Promise<void> | undefined;
  #idle: Timer | undefined;
  readonly #stopping = new AbortController();
  readonly #pace = new ReadingPace();
  /** Failed readings since the last that succeeded. The first is worth a warning. */
  #failures = 0;

  constructor(host: QueueReadingsHost) {
    this.#host = host;
    this.#queues = new QueueGauges(host.metrics);
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
    this.#state = { kind: "reader", lease, readAt: now + this.#pace.restAfter(now - beganAt) };
    this.#failures = 0;
    this.#queues.tell(snapshots);
    this.#machines.tell(backlogs);
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
    this.#queues.forget();
    this.#machines.forget();
  }
}
