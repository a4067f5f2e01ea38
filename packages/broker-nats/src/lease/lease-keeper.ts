import { Worker } from "node:worker_threads";
import type { NatsConnectionOptions } from "../connection/connection-options.ts";
import type { WaitingLog } from "../connection/waiting-log.ts";
import { MillraceError } from "../errors.ts";
import type { LeaseSegment } from "./lease-segment.ts";
import { leaseThread } from "./lease-thread.ts";
import { LeaseSlots } from "./lease-slots.ts";
import type { LeasesOwner } from "./leases.ts";
import { elapsedMs, sharedNowMs } from "./shared-clock.ts";
import type { FromWorker, LeaseWorkerData, ToWorker } from "./worker-messages.ts";

export interface LeaseKeeperOptions extends LeasesOwner {
  /** For the worker's own connection. */
  readonly connection: NatsConnectionOptions;
  /** Ends the wait for the first connection. */
  readonly signal?: AbortSignal;
  /** Told while the worker dials in vain, and when it is connected. */
  readonly waiting?: Pick<WaitingLog, "refused" | "connected">;
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
 * const onLost = (lease: LeaseId) => abort(lease);
 * const keeper = await LeaseKeeper.open({ connection, ackWaitMs: 30_000, onLost });
 * const lease = keeper.register(delivery.ackSubject);
 * if (keeper.isHeld(lease)) ack(nc, delivery.ackSubject);
 * keeper.release(lease);
 */
export class LeaseKeeper extends LeaseSlots {
  readonly #options: LeaseKeeperOptions;
  readonly #watch: NodeJS.Timeout;
  #state: WorkerState;

  /** @throws MillraceError what `connectNats` throws; the signal's reason */
  static async open(options: LeaseKeeperOptions): Promise<LeaseKeeper> {
    const { signal } = options;
    signal?.throwIfAborted();
    const first = Promise.withResolvers<void>();
    const giveUp = (): void => first.reject(signal?.reason as Error);
    signal?.addEventListener("abort", giveUp, { once: true });
    const keeper = new LeaseKeeper(options, first.resolve, first.reject);
    try {
      await first.promise;
    } catch (error) {
      await keeper.close();
      throw error;
    } finally {
      signal?.removeEventListener("abort", giveUp);
    }
    return keeper;
  }

  private constructor(
    options: LeaseKeeperOptions,
    ready: () => void,
    failed: (error: MillraceError) => void,
  ) {
    super(options, sharedNowMs);
    this.#options = options;
    this.#state = this.#start(ready, failed);
    this.#watch = setInterval(() => this.#turn(), this.turnMs).unref();
  }

  protected grown({ buffer }: LeaseSegment): void {
    if (this.#state.kind === "up")
      this.#state.worker.postMessage({ kind: "segment", buffer } satisfies ToWorker);
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
      segments: this.segments.map((segment) => segment.buffer),
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
      const { waiting } = this.#options;
      if (message.kind === "waiting")
        waiting?.refused(new MillraceError("server-unreachable", message.message));
      if (message.kind === "ready") {
        waiting?.connected();
        ready?.();
      }
      if (message.kind === "failed") report(new MillraceError(message.code, message.message));
      if (message.kind === "lost") this.lost(message.slot, message.generation);
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
    const stoodStill = this.turned(nowMs);
    if (stoodStill) void this.#catchUp(nowMs);
    // After a freeze the worker's word would come later than the handlers' own timers.
    if (stoodStill || this.#state.kind === "down") this.watch();
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
    if (elapsedMs(this.receivedAfterMs, nowMs) > 0) this.receivedAfterMs = nowMs;
  }
}

async function end(worker: Worker): Promise<void> {
  const exit = new Promise((resolve) => worker.once("exit", resolve));
  worker.postMessage({ kind: "close" } satisfies ToWorker);
  const timer = setTimeout(() => void worker.terminate(), CLOSE_DEADLINE_MS);
  await exit;
  clearTimeout(timer);
}
