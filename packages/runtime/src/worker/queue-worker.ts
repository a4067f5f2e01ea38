import {
  type AbortCause,
  type ControlMark,
  type Delivery,
  type LaneWeights,
  type QueueControls,
  recordError,
  type RunningJob,
  type WorkSubscription,
} from "@millrace/core";
import type { QueueControlsView } from "../control/queue-controls.ts";
import { runningJob } from "../execution/attempt/run-report.ts";
import { Execution, type ExecutionOwner } from "../execution/execution.ts";
import type { ExecutionHost } from "../execution/execution-host.ts";
import type { StuckQueue } from "../execution/settle/settlement-watch.ts";
import { QueueLimits } from "../limits/queue/queue-limits.ts";
import { createService, type Service, type ServiceState } from "../service/service.ts";

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

/**
 * So many times the slots may be on their way to wait at a gate. They take no slot, so that a
 * backlog of one key is passed over quickly, and another key's job behind it is found soon.
 */
const YIELDING_A_SLOT = 4;

/**
 * Runs one queue's jobs on one node. Owns the slots: a delivery takes one when it arrives and frees
 * it when its settlement is confirmed. An idle lane's standing pull may bring a job while no slot
 * is free; it waits in the broker's prefetch buffer and has the next one.
 */
export class QueueWorker implements ExecutionOwner {
  readonly queue: string;
  readonly slots: number;
  readonly #host: ExecutionHost;
  readonly #executions = new Set<Execution>();
  /** Those of them that a gate has sent to wait, until that is settled. */
  readonly #yielding = new Set<Execution>();
  /** Those that only hand their job back. */
  readonly #goingBack = new Set<Execution>();
  readonly #service: Service;
  readonly #limits: QueueLimits;
  readonly #ignoreControls: () => void;
  /** What operators set for the queue, as it was told last. */
  #controls: QueueControls = {};
  /** Nothing is pulled by this node, whatever the queue's controls say. */
  #quiet: ControlMark | undefined;
  #ended = 0;
  /**
   * When it last pulled nothing because nothing of the queue can be settled; `Clock.monotonic()`.
   */
  #walledMono = Number.NEGATIVE_INFINITY;
  /** Set while the service is open. */
  #subscription: WorkSubscription | undefined;
  /** Once true, what still arrives is handed back unspent instead of run. */
  #refusing = false;
  #whenIdle: (() => void)[] = [];

  constructor(host: ExecutionHost, options: QueueWorkerOptions) {
    this.#host = host;
    this.queue = options.queue;
    this.slots = options.slots;
    host.metrics.gauge("millrace_slots", { queue: options.queue }, options.slots);
    this.#limits = new QueueLimits(
      host,
      {
        queue: options.queue,
        leaseMs: options.leaseMs,
        concurrency: options.controls === undefined ? undefined : options.concurrency,
      },
      {
        slots: options.slots,
        used: () => this.#inSlots - this.#goingBack.size,
        aborting: () => [...this.#executions].filter(({ abort }) => abort.reason).length,
        pull: () => this.#subscription?.slotFreed(),
        pause: async () => {
          await this.#subscription?.pause();
          if ((this.#quiet ?? this.#controls.paused) !== undefined) this.#giveUpWaiting();
        },
        resume: () => this.#subscription?.resume(),
        abortLatest: (count) => this.#abortLatest(count),
      },
    );
    host.settlements.onChange((changed) => {
      if (changed === options.queue) this.#subscription?.slotFreed();
    });
    this.#ignoreControls =
      options.controls?.onChange(options.queue, (controls) => this.#heedControls(controls)) ??
      (() => {});
    host.memory.onRoom(() => this.#subscription?.slotFreed());
    this.#service = createService({
      clock: host.clock,
      open: async () => {
        if (options.controls !== undefined) this.#heedControls(options.controls.of(options.queue));
        this.#subscription = await host.broker.work(options.queue, {
          // A worker that was stopped while this was opening must not take a single job.
          freeSlots: () => this.#freeSlots(),
          mayPull: () => host.memory.room(),
          freeBytes: () => host.memory.freeBytes,
          onDelivery: (delivery) => this.#take(delivery),
          onSurplus: (delivery) => {
            const execution = this.#receive(delivery);
            this.#sendBack(execution);
            host.memory.enter(execution);
          },
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

  get used(): number {
    return this.#executions.size;
  }

  /** Jobs whose handler was called and that have left its hands. */
  get ended(): number {
    return this.#ended;
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

  get running(): readonly RunningJob[] {
    return [...this.#executions]
      .map((execution) => runningJob(execution))
      .filter((job) => job !== undefined);
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
    this.#refusing = true;
    // What waits for memory goes back when its turn comes.
    for (const execution of this.#executions) if (!execution.isRead) refuse(execution);
    this.#ignoreControls();
    await this.#service.stop();
    this.#limits.stop();
    this.#giveUpWaiting();
  }

  /** Gives back what it holds of the queue's cap and rate. After everything else has ended. */
  close(): Promise<void> {
    return this.#limits.close();
  }

  abortAll(cause: AbortCause, message: string): void {
    for (const { abort } of this.#executions) abort.abort(cause, message);
  }

  /**
   * Whether an earlier delivery of the same message is in its hands, and may still be settled here.
   */
  hasInHand(delivery: Delivery): boolean {
    for (const { delivery: earlier } of this.#executions) {
      if (earlier === delivery) return false;
      const isSame = earlier.message.sequence === delivery.message.sequence;
      if (isSame && earlier.lease.isHeld()) return true;
    }
    return false;
  }

  heedCancellation(id: string): void {
    for (const execution of this.#executions) execution.heedCancellation(id);
  }

  /**
   * Settles as interrupted what has not ended by itself, once nothing is pulled any more: a job
   * that was handed back sooner could come straight back to this worker.
   */
  async handBackAll(): Promise<void> {
    await this.stopPulling();
    for (const execution of this.#executions) execution.handBack();
  }

  /**
   * Ends what is still unsettled; those jobs come back to others when their leases have run out.
   * @returns how many
   */
  abandonAll(): number {
    const left = [...this.#executions];
    for (const execution of left) execution.abandon();
    return left.length;
  }

  /** Resolves when no execution is left. */
  idle(): Promise<void> {
    if (this.#executions.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Jobs in this worker's hands that are to run or do. */
  get #inSlots(): number {
    const yielding = Math.min(this.#yielding.size, this.slots * YIELDING_A_SLOT);
    return this.#executions.size - yielding;
  }

  /** Once nothing is pulled any more: what is handed back could come straight back. */
  #giveUpWaiting(): void {
    for (const execution of this.#executions) execution.giveUpWaiting();
  }

  #heedControls(controls: QueueControls): void {
    this.#controls = controls;
    this.#limits.apply(this.#quiet === undefined ? controls : { ...controls, paused: this.#quiet });
  }

  #freeSlots(): number {
    if (this.#refusing) return 0;
    const most = Math.min(this.slots, this.#mostInHand());
    return this.#limits.room(Math.max(0, most - this.#inSlots));
  }

  #mostInHand(): number {
    const most = this.#host.settlements.most(this.queue);
    if (most === 0) this.#walledMono = this.#host.clock.monotonic();
    return most;
  }

  #take(delivery: Delivery): void {
    const execution = this.#receive(delivery);
    if (this.#refusing) refuse(execution);
    // A permit or a token that it was pulled with is gone.
    else if (!this.#limits.admit()) this.#sendBack(execution);
    this.#host.memory.enter(execution);
    this.#limits.changed();
  }

  #receive(delivery: Delivery): Execution {
    const execution = new Execution(this.#host, delivery, this);
    this.#executions.add(execution);
    return execution;
  }

  /** For whoever has a slot free. */
  #sendBack(execution: Execution): void {
    this.#goingBack.add(execution);
    execution.goesBack = true;
  }

  #abortLatest(count: number): void {
    const latest = [...this.#executions].filter(({ abort }) => !abort.reason).slice(-count);
    for (const { abort } of latest)
      abort.abort("lock-lost", "The permit that lets this job run could not be kept.");
  }

  executionEnded(execution: Execution): void {
    this.#executions.delete(execution);
    this.#yielding.delete(execution);
    this.#host.memory.leave(execution);
    const wentBack = this.#goingBack.delete(execution);
    if (execution.hasRun) this.#ended += 1;
    else if (!wentBack) this.#limits.putBack();
    this.#limits.changed();
    this.#subscription?.slotFreed();
    if (this.#executions.size > 0) return;
    const waiting = this.#whenIdle;
    if (waiting.length === 0) return;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }

  executionYields(execution: Execution): void {
    if (!this.#executions.has(execution)) return;
    this.#yielding.add(execution);
    this.#limits.changed();
    this.#subscription?.slotFreed();
  }
}

/** It goes straight back without a run: it arrived after the node began to stop. */
function refuse({ abort }: Execution): void {
  abort.abort("shutdown", "The node is stopping.");
}
