import { Worker } from "node:worker_threads";
import type { NatsConnectionOptions } from "../connection/connection-options.ts";
import { MillraceError } from "../errors.ts";
import {
  GENERATIONS,
  LeaseSegment,
  MAX_SUBJECT_BYTES,
  SLOTS_PER_SEGMENT,
} from "./lease-segment.ts";
import { type LockOrder, writeLockOrder } from "./lock-order.ts";
import { elapsedMs, sharedNowMs } from "./shared-clock.ts";
import type { LeaseState } from "./thread-lease.ts";
import type { FromWorker, LeaseWorkerData, ToWorker } from "./worker-messages.ts";

declare const lease: unique symbol;
/** Names one registration; a slot's later tenants have other names. */
export type Lease = number & { readonly [lease]: true };

export interface LeaseKeeperOptions {
  /** For the worker's own connection. */
  readonly connection: NatsConnectionOptions;
  /** The shortest `ack_wait` of the consumers whose deliveries are registered. */
  readonly ackWaitMs: number;
  /** The lease can't be relied on any more: abort what runs on it and settle nothing. Release it all the same. */
  onLost(lease: Lease): void;
  /**
   * Resolves when everything has been read that the server had sent on the deliveries' connection before this was called. Asked once the event
   * loop was blocked, so that what comes afterwards is not taken for as old as the block. Default: two turns of the watch settle that.
   */
  roundTrip?(): Promise<void>;
  /** For the log. The worker is started again after a fault. */
  onProblem?(error: MillraceError): void;
  /** Replaced by tests of a worker that fails. */
  readonly workerUrl?: URL;
}

/** `closing` ends the worker, `down` waits to start another: leases are then watched from this thread. */
type WorkerState =
  | { readonly kind: "up"; readonly worker: Worker }
  | { readonly kind: "down"; readonly restart: NodeJS.Timeout }
  | { readonly kind: "closing"; readonly done: Promise<void> };

const RESTART_MS = 500;
const CLOSE_DEADLINE_MS = 1_000;
const YOUNG_MB = 4;
/** Beside the compiled file lies a compiled worker, beside the source its source. */
const WORKER_URL = new URL(
  import.meta.url.endsWith(".ts") ? "./lease-worker.ts" : "./lease-worker.js",
  import.meta.url,
);

/**
 * Extends the leases of running jobs from a worker thread with a connection of its own, every third of `ack_wait`, and
 * knows at any time whether a lease still stands: it does while the last extension the server confirmed was sent less than
 * five sixths of `ack_wait` ago on the monotonic clock. (That clock stands still while a machine is suspended.)
 *
 * @example
 * const keeper = await LeaseKeeper.open({ connection, ackWaitMs: 30_000, onLost: (lease) => abort(lease) });
 * const lease = keeper.register(delivery.ackSubject);
 * if (keeper.isHeld(lease)) ack(nc, delivery.ackSubject);
 * keeper.release(lease);
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #segments: LeaseSegment[] = [];
  readonly #free: number[] = [];
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
    this.#grow();
    this.#state = this.#start(ready, failed);
    this.#turnMs = Math.max(10, Math.min(1_000, options.ackWaitMs / 20));
    this.#watch = setInterval(() => this.#turn(), this.#turnMs).unref();
  }

  /**
   * From when the delivery is received until `release`. The lease counts from the last turn of the event loop before: a
   * message may have lain in the socket since then.
   */
  register(ackSubject: string, ackWaitMs: number = this.#options.ackWaitMs): Lease {
    if (ackSubject.length > MAX_SUBJECT_BYTES || ackWaitMs < this.#options.ackWaitMs)
      throw unusable(ackSubject, ackWaitMs, this.#options.ackWaitMs);
    return this.#take(ackSubject, ackWaitMs, this.#receivedAfterMs);
  }

  /**
   * The same for a lock: from half of its lease on the worker does what the order says, and then every third. `onLost` is never called for it.
   *
   * @returns undefined where the worker looks too seldom for such a lease, or the order is too long
   */
  registerLock(order: LockOrder, leaseMs: number, ageMs: number): Lease | undefined {
    const text = writeLockOrder(order);
    const fits = Buffer.byteLength(text) <= MAX_SUBJECT_BYTES;
    if (!fits || leaseMs * 2 < this.#options.ackWaitMs) return undefined;
    return this.#take(text, leaseMs, (sharedNowMs() - ageMs) | 0);
  }

  /** By `sharedNowMs`. Means something until the lease is released. */
  confirmedMs(lease: Lease): number {
    const number = Math.floor(lease / GENERATIONS);
    return this.#segmentOf(number).confirmedMs(number % SLOTS_PER_SEGMENT);
  }

  #take(text: string, leaseMs: number, confirmedMs: number): Lease {
    if (this.#free.length === 0) this.#grow();
    const number = this.#free.pop() as number;
    const slot = number % SLOTS_PER_SEGMENT;
    const generation = this.#segmentOf(number).take(slot, text, leaseMs, confirmedMs);
    return (number * GENERATIONS + generation) as Lease;
  }

  /** Ask right before settling. Once false it stays false. */
  isHeld(lease: Lease): boolean {
    const number = Math.floor(lease / GENERATIONS);
    const segment = this.#segmentOf(number);
    const slot = number % SLOTS_PER_SEGMENT;
    const generation = lease % GENERATIONS;
    if (!segment.isHeld(slot, generation)) return false;
    if (segment.age(slot, sharedNowMs()) !== "over") return true;
    if (segment.declareLost(slot, generation)) queueMicrotask(() => this.#options.onLost(lease));
    return false;
  }

  /** What `isHeld` of `thread-lease.ts` needs. */
  stateOf(lease: Lease): LeaseState {
    return { buffer: this.#segmentOf(Math.floor(lease / GENERATIONS)).buffer, lease };
  }

  /** Stops extending. Safe to call again, and for a lease that was lost. */
  release(lease: Lease): void {
    const number = Math.floor(lease / GENERATIONS);
    if (this.#segmentOf(number).free(number % SLOTS_PER_SEGMENT, lease % GENERATIONS))
      this.#free.push(number);
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

  #segmentOf(number: number): LeaseSegment {
    return this.#segments[Math.floor(number / SLOTS_PER_SEGMENT)] as LeaseSegment;
  }

  #grow(): void {
    const segment = new LeaseSegment();
    const first = this.#segments.length * SLOTS_PER_SEGMENT;
    for (let slot = SLOTS_PER_SEGMENT - 1; slot >= 0; slot -= 1) this.#free.push(first + slot);
    this.#segments.push(segment);
    if (first > 0 && this.#state.kind === "up")
      this.#state.worker.postMessage({
        kind: "segment",
        buffer: segment.buffer,
      } satisfies ToWorker);
  }

  #start(ready?: () => void, failed?: (error: MillraceError) => void): WorkerState {
    const { connection, ackWaitMs } = this.#options;
    const data: LeaseWorkerData = {
      connection: { ...connection, name: `${connection.name ?? "millrace"} leases` },
      segments: this.#segments.map((segment) => segment.buffer),
      tickMs: Math.max(5, ackWaitMs / 12),
    };
    const worker = new Worker(this.#options.workerUrl ?? WORKER_URL, {
      workerData: data,
      execArgv: [],
      // It keeps next to nothing, and by default would fill a young generation as large as the main thread's.
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
      if (message.kind === "lost") this.#lost(message.slot, message.generation);
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

  #lost(number: number, generation: number): void {
    // Released while the message was on its way: nobody is concerned any more.
    if (this.#segmentOf(number).isLost(number % SLOTS_PER_SEGMENT, generation))
      this.#options.onLost((number * GENERATIONS + generation) as Lease);
  }

  #turn(): void {
    const nowMs = sharedNowMs();
    const sinceMs = elapsedMs(this.#lastTurnMs, nowMs);
    this.#receivedAfterMs = this.#lastTurnMs;
    this.#lastTurnMs = nowMs;
    const stoodStill = sinceMs > 2 * this.#turnMs;
    if (stoodStill) void this.#catchUp(nowMs);
    // After a freeze the worker's word would come later than the handlers' own timers.
    if (stoodStill || this.#state.kind === "down") this.#watchLeases();
  }

  /** The loop was blocked until now. Where nobody answers, the turns to come say the same, later. */
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

  #watchLeases(): void {
    this.#segments.forEach((segment, s) => {
      for (let slot = 0; slot < SLOTS_PER_SEGMENT; slot += 1) {
        const generation = segment.heldGeneration(slot);
        if (generation !== undefined)
          this.isHeld(((s * SLOTS_PER_SEGMENT + slot) * GENERATIONS + generation) as Lease);
      }
    });
  }
}

async function end(worker: Worker): Promise<void> {
  const exit = new Promise((resolve) => worker.once("exit", resolve));
  worker.postMessage({ kind: "close" } satisfies ToWorker);
  const timer = setTimeout(() => void worker.terminate(), CLOSE_DEADLINE_MS);
  await exit;
  clearTimeout(timer);
}

function unusable(ackSubject: string, ackWaitMs: number, shortestMs: number): MillraceError {
  const why =
    ackWaitMs < shortestMs
      ? `its ack_wait of ${ackWaitMs} ms is shorter than the ${shortestMs} ms the keeper was opened for`
      : `its ack subject has ${ackSubject.length} bytes`;
  return new MillraceError("lease-unusable", `This delivery's lease can't be kept: ${why}.`);
}
