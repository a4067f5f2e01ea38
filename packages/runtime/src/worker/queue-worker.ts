import {
  type ControlMark,
  type LaneWeights,
  type QueueControls,
  recordError,
  type WorkSubscription,
} from "@millrace/core";
import type { QueueControlsView } from "../control/queue-controls.ts";
import type { ExecutionHost } from "../execution/execution-host.ts";
import type { StuckQueue } from "../execution/settle/settlement-watch.ts";
import { QueueLimits } from "../limits/queue/queue-limits.ts";
import { createService, type Service, type ServiceState } from "../service/service.ts";
import { Slots } from "./slots.ts";

export interface QueueWorkerOptions {
  readonly queue: string;
  /** Jobs that may be in this worker's hands at once. */
  readonly slots: number;
  readonly leaseMs: number;
  /** How its slots are shared between the queue's lanes. */
  readonly weights?: Partial<LaneWeights> | undefined;
  /** The queue's cap over all nodes while no control says another. */
  readonly concurrency?: number | undefined;
  /** What operators set. Left out: nothing of that counts here. */
  readonly controls?: QueueControlsView | undefined;
}

/** Pulls one queue's jobs on one node, as long and as many as it may. */
export class QueueWorker {
  readonly queue: string;
  /** What it has pulled. */
  readonly jobs: Slots;
  readonly #host: ExecutionHost;
  readonly #service: Service;
  readonly #limits: QueueLimits;
  readonly #ignoreControls: () => void;
  /** What operators set for the queue, as it was told last. */
  #controls: QueueControls = {};
  /** Nothing is pulled by this node, whatever the queue's controls say. */
  #quiet: ControlMark | undefined;
  /**
   * When it last pulled nothing because nothing of the queue can be settled; `Clock.monotonic()`.
   */
  #walledMono = Number.NEGATIVE_INFINITY;
  /** Set while the service is open. */
  #subscription: WorkSubscription | undefined;

  constructor(host: ExecutionHost, options: QueueWorkerOptions) {
    this.#host = host;
    this.queue = options.queue;
    host.metrics.gauge("millrace_slots", { queue: options.queue }, options.slots);
    const pull = (): void => this.#subscription?.slotFreed();
    this.#limits = new QueueLimits(
      host,
      {
        queue: options.queue,
        leaseMs: options.leaseMs,
        concurrency: options.controls === undefined ? undefined : options.concurrency,
      },
      {
        slots: options.slots,
        used: () => this.jobs.used,
        aborting: () => [...this.jobs.all].filter(({ abort }) => abort.reason).length,
        pull,
        pause: async () => {
          await this.#subscription?.pause();
          if ((this.#quiet ?? this.#controls.paused) !== undefined) this.#giveUpWaiting();
        },
        resume: () => this.#subscription?.resume(),
        abortLatest: (count) => this.#abortLatest(count),
      },
    );
    this.jobs = new Slots(host, options.slots, this.#limits, pull);
    host.settlements.onChange((changed) => {
      if (changed === options.queue) pull();
    });
    host.memory.onRoom(pull);
    this.#ignoreControls =
      options.controls?.onChange(options.queue, (controls) => this.#heedControls(controls)) ??
      (() => {});
    this.#service = createService({
      clock: host.clock,
      open: async () => {
        if (options.controls !== undefined) this.#heedControls(options.controls.of(options.queue));
        this.#subscription = await host.broker.work(options.queue, {
          // A worker that was stopped while this was opening must not take a single job.
          freeSlots: () => this.#limits.room(this.jobs.free(this.#mostInHand())),
          mayPull: () => host.memory.room(),
          freeBytes: () => host.memory.freeBytes,
          onDelivery: (delivery) => this.jobs.take(delivery),
          onSurplus: (delivery) => this.jobs.takeSurplus(delivery),
          leaseMs: options.leaseMs,
          ...(options.weights === undefined ? {} : { weights: options.weights }),
        });
        this.#limits.attach();
        return this.#subscription;
      },
      onState: (state) => host.events.emit("worker.state", { queue: options.queue, state }),
      onError: (error) =>
        host.log.warn(
          { queue: options.queue, error: recordError(error) },
          "can't take jobs from the queue; trying again",
        ),
    });
  }

  get state(): ServiceState {
    return this.#service.state;
  }

  get slots(): number {
    return this.jobs.most;
  }

  get used(): number {
    return this.jobs.all.size;
  }

  /** Its jobs that can't be settled. */
  get stuck(): StuckQueue | undefined {
    return this.#host.settlements.stuck().find(({ queue }) => queue === this.queue);
  }

  /** `Clock.monotonic()` of the last sign of life of the queue; undefined before the first. */
  get lastActivity(): number | undefined {
    const heard = this.#subscription?.lastActivity;
    // A queue that nothing may be pulled from is silent.
    if (heard === undefined) return undefined;
    if (this.#host.memory.isShort) return this.#host.clock.monotonic();
    this.#mostInHand();
    return Math.max(heard, this.#limits.roomSince, this.#walledMono);
  }

  /** Resolves when the queue is bound for the first time; goes on trying until then. */
  start(): Promise<void> {
    return this.#service.start();
  }

  /**
   * Pulls nothing, or pulls again. What runs goes on. Resolves when nothing that was pulled for
   * before can arrive any more.
   */
  async setQuiet(quiet: boolean): Promise<void> {
    this.#quiet = quiet ? { since: this.#host.clock.now() } : undefined;
    this.#heedControls(this.#controls);
    if (quiet) await this.#subscription?.pause();
  }

  /** Takes nothing new. What runs goes on. */
  async stopPulling(): Promise<void> {
    this.jobs.refuseMore();
    this.#ignoreControls();
    await this.#service.stop();
    this.#limits.stop();
    this.#giveUpWaiting();
  }

  /** Gives back what it holds of the queue's cap and rate. After everything else has ended. */
  close(): Promise<void> {
    return this.#limits.close();
  }

  /**
   * Settles as interrupted what has not ended by itself, once nothing is pulled any more: a job
   * that was handed back sooner could come straight back to this worker.
   */
  async handBackAll(): Promise<void> {
    await this.stopPulling();
    for (const execution of this.jobs.all) execution.handBack();
  }

  /** Once nothing is pulled any more: what is handed back could come straight back. */
  #giveUpWaiting(): void {
    for (const execution of this.jobs.all) execution.giveUpWaiting();
  }

  #abortLatest(count: number): void {
    const latest = [...this.jobs.all].filter(({ abort }) => !abort.reason).slice(-count);
    for (const { abort } of latest)
      abort.abort("lock-lost", "The permit that lets this job run could not be kept.");
  }

  #heedControls(controls: QueueControls): void {
    this.#controls = controls;
    this.#limits.apply(this.#quiet === undefined ? controls : { ...controls, paused: this.#quiet });
  }

  #mostInHand(): number {
    const most = this.#host.settlements.most(this.queue);
    if (most === 0) this.#walledMono = this.#host.clock.monotonic();
    return most;
  }
}
