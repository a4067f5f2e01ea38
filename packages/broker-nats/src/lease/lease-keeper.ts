import { Worker } from "node:worker_threads";
import type { NatsConnectionOptions } from "../connection/connection-options.ts";
import { MillraceError } from "../errors.ts";
import type { Lease } from "./lease.ts";
import { leaseThread } from "./lease-thread.ts";
import { LeaseSlots } from "./lease-slots.ts";
import type { Leases, LeasesOwner } from "./leases.ts";
import type { LockOrder } from "./lock-order.ts";
import { elapsedMs, sharedNowMs } from "./shared-clock.ts";
import type { LeaseState } from "./thread-lease.ts";
import type { FromWorker, LeaseWorkerData, ToWorker } from "./worker-messages.ts";

export interface LeaseKeeperOptions extends LeasesOwner {
  /** For the worker's own connection. */
  readonly connection: NatsConnectionOptions;
  /** Replaced by tests of a worker that fails. */
  readonly workerUrl?: URL;
}

/**
 * `closing` ends the worker, `down` waits to start another: leases are then watched from this
 * thread.
 */
type WorkerState =
  | { readonly kind: "up"; readonly worker: Worker }
  | { readonly kind: "down"; readonly restart: NodeJS.Timeout }
  | { readonly kind: "closing"; readonly done: Promise<void> };

const RESTART_MS = 500;
const CLOSE_DEADLINE_MS = 1_000;
const YOUNG_MB = 4;

/**
 * Extends the leases of running jobs from a worker thread with a connection of its own, every third
 * of `ack_wait`, and knows at any time whether a lease still stands: it does while the last
 * extension the server confirmed was sent less than five sixths of `ack_wait` ago on the monotonic
 * clock. (That clock stands still while a machine is suspended.)
 *
 * @example
 * const onLost = (lease: Lease) => abort(lease);
 * const keeper = await LeaseKeeper.open({ connection, ackWaitMs: 30_000, onLost });
 * const lease = keeper.register(delivery.ackSubject);
 * if (keeper.isHeld(lease)) ack(nc, delivery.ackSubject);
 * keeper.release(lease);
 */
export class LeaseKeeper implements Leases {
  readonly #options: LeaseKeeperOptions;
  readonly #slots: LeaseSlots;
  readonly #watch: NodeJS.Timeout;
  readonly #turnMs: number;
  #state: WorkerState;
  #lastTurnMs = sharedNowMs();
  /** No message read now can have been handed out before this: the event loop turned since. */
  #receivedAfterMs = this.#lastTurnMs;

  /** @throws MillraceError what `connectNats` throws */
  static async open(options: LeaseKeeperOptions): Promise<LeaseKeeper> {
    const first = Promise.withResolvers<void>();
    const keeper = new LeaseKeeper(options, first.resolve, first.reject);
    try {
      await first.promise;
    } catch (error) {
      await keeper.close();
      throw error;
    }
    return keeper;
  }

  private constructor(
    options: LeaseKeeperOptions,
    ready: () => void,
    failed: (error: MillraceError) => void,
  ) {
    this.#options = options;
    this.#slots = new LeaseSlots({
      ackWaitMs: options.ackWaitMs,
      nowMs: sharedNowMs,
      onLost: (lease) => options.onLost(lease),
      onGrow: ({ buffer }) => {
        if (this.#state.kind === "up")
          this.#state.worker.postMessage({ kind: "segment", buffer } satisfies ToWorker);
      },
    });
    this.#state = this.#start(ready, failed);
    this.#turnMs = Math.max(10, Math.min(1_000, options.ackWaitMs / 20));
    this.#watch = setInterval(() => this.#turn(), this.#turnMs).unref();
  }

  /**
   * From when the delivery is received until `release`. The lease counts from the last turn of the
   * event loop before: a message may have lain in the socket since then.
   */
  register(ackSubject: string, ackWaitMs: number = this.#options.ackWaitMs): Lease {
    return this.#slots.register(ackSubject, ackWaitMs, this.#receivedAfterMs);
  }

  registerLock(order: LockOrder, leaseMs: number, ageMs: number): Lease | undefined {
    return this.#slots.registerLock(order, leaseMs, ageMs);
  }

  confirmedMs(lease: Lease): number {
    return this.#slots.confirmedMs(lease);
  }

  sinceConfirmedMs(lease: Lease): number {
    return this.#slots.sinceConfirmedMs(lease);
  }

  isHeld(lease: Lease): boolean {
    return this.#slots.isHeld(lease);
  }

  stateOf(lease: Lease): LeaseState {
    return this.#slots.stateOf(lease);
  }

  release(lease: Lease): void {
    this.#slots.release(lease);
  }

  /** Stops extending everything and ends the worker. Safe to call again. */
  close(): Promise<void> {
    if (this.#state.kind !== "closing") {
      clearInterval(this.#watch);
      if (this.#state.kind === "down") clearTimeout(this.#state.restart);
      this.#state = {
        kind: "closing",
        done: this.#state.kind === "up" ? end(this.#state.worker) : Promise.resolve(),
      };
    }
    return this.#state.done;
  }

  #start(ready?: () => void, failed?: (error: MillraceError) => void): WorkerState {
    const { connection, ackWaitMs } = this.#options;
    const data: LeaseWorkerData = {
      connection: { ...connection, name: `${connection.name ?? "millrace"} leases` },
      segments: this.#slots.segments.map((segment) => segment.buffer),
      tickMs: Math.max(5, ackWaitMs / 12),
    };
    const worker = new Worker(this.#options.workerUrl ?? leaseThread(), {
      workerData: data,
      execArgv: [],
      // It keeps next to nothing, and by default would fill a young generation as large as the main
      // thread's.
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
      name: "millrace-leases",
    });
    worker.unref();
    const report = (error: MillraceError): void => {
      failed?.(error);
      this.#options.onProblem?.(error);
    };
    worker.on("message", (message: FromWorker) => {
      if (message.kind === "ready") ready?.();
      if (message.kind === "failed") report(new MillraceError(message.code, message.message));
      if (message.kind === "lost") this.#slots.lost(message.slot, message.generation);
    });
    worker.on("error", (cause) =>
      report(
        new MillraceError(
          "broker-unavailable",
          `The thread that extends leases failed: ${String(cause)}. It is started again.`,
          { cause },
        ),
      ),
    );
    worker.on("exit", () => {
      if (this.#state.kind === "closing") return;
      this.#state = {
        kind: "down",
        restart: setTimeout(() => (this.#state = this.#start()), RESTART_MS).unref(),
      };
    });
    return { kind: "up", worker };
  }

  #turn(): void {
    const nowMs = sharedNowMs();
    const sinceMs = elapsedMs(this.#lastTurnMs, nowMs);
    this.#receivedAfterMs = this.#lastTurnMs;
    this.#lastTurnMs = nowMs;
    const stoodStill = sinceMs > 2 * this.#turnMs;
    if (stoodStill) void this.#catchUp(nowMs);
    // After a freeze the worker's word would come later than the handlers' own timers.
    if (stoodStill || this.#state.kind === "down") this.#slots.watch();
  }

  /**
   * The loop was stalled until now. Where nobody answers, the turns to come say the same, later.
   */
  async #catchUp(nowMs: number): Promise<void> {
    const { roundTrip } = this.#options;
    if (roundTrip === undefined) return;
    try {
      await roundTrip();
    } catch {
      return;
    }
    if (elapsedMs(this.#receivedAfterMs, nowMs) > 0) this.#receivedAfterMs = nowMs;
  }
}

async function end(worker: Worker): Promise<void> {
  const exit = new Promise((resolve) => worker.once("exit", resolve));
  worker.postMessage({ kind: "close" } satisfies ToWorker);
  const timer = setTimeout(() => void worker.terminate(), CLOSE_DEADLINE_MS);
  await exit;
  clearTimeout(timer);
}
