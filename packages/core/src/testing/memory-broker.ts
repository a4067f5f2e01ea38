import type {
  Broker,
  BrokerStatus,
  EnqueueResult,
  QueueStore,
  RunningJob,
  FindOptions,
  WaitingJob,
} from "../broker/broker.ts";
import type { Stoppable } from "../broker/stoppable.ts";
import type { Delivery, WorkOptions, WorkSubscription } from "../broker/work.ts";
import type { BatchStore } from "../broker/batch-store.ts";
import type { BlockedStore } from "../broker/blocked-store.ts";
import { queueClosed } from "../control/queue-closed.ts";
import { CONTROLS_BUCKET } from "../control/queue-controls.ts";
import type { DeadLetterStore } from "../broker/dead-letter-store.ts";
import type { DelayedStore } from "../broker/delayed-store.ts";
import type { DocumentStore } from "../broker/document-store.ts";
import type { HistoryStore } from "../broker/history-store.ts";
import type { LockStore } from "../broker/lock-store.ts";
import type { MarkStore } from "../broker/mark-store.ts";
import type { ProgressStore } from "../broker/progress-store.ts";
import type { Successors } from "../broker/successors.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { DEFAULT_MAX_DELAY_MS, DEFAULT_MAX_VALUES, tooFarAhead } from "../envelope/body-limits.ts";
import type { QueueMessage } from "../envelope/message.ts";
import { writeEnvelope } from "../envelope/write-envelope.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import { needsProgramDoor } from "../flow/reach.ts";
import type { DeadLetter } from "../settlement/dead-letter.ts";
import type { SettlementStep } from "../settlement/settlement.ts";
import type { Clock } from "../time/clock.ts";
import { systemClock } from "../time/system-clock.ts";
import { Connection } from "./memory/connection.ts";
import { MemoryBatches } from "./memory/memory-batches.ts";
import { MemoryBlocked, messageOfBlocked } from "./memory/memory-blocked.ts";
import { buriedIdOf, MemoryDeadLetters } from "./memory/memory-dead-letters.ts";
import { messageOfDelayed } from "./memory/memory-delayed.ts";
import { MemoryDelayedStore } from "./memory/memory-delayed-store.ts";
import { MemoryDocuments } from "./memory/memory-documents.ts";
import { MemoryHistory } from "./memory/memory-history.ts";
import { MemoryLocks } from "./memory/memory-locks.ts";
import { MemoryMarks } from "./memory/memory-marks.ts";
import { MemoryProgress } from "./memory/memory-progress.ts";
import { type Publication, sizeOf } from "./memory/memory-queue.ts";
import { anyWaitingJob, publicationOf, requeueOf, waitingJob } from "./memory/publication.ts";
import { MemoryQueues } from "./memory/memory-queues.ts";
import { MemoryServer } from "./memory/memory-server.ts";
import { MemoryDelivery, MemorySubscription } from "./memory/memory-subscription.ts";

/**
 * A NATS server's default of 1 MiB, less the room a dead letter's and a requeue's own headers take.
 */
const MAX_MESSAGE_BYTES = 1_048_576 - 8_192 - 1_024;
export interface MemoryBrokerOptions {
  /** Default: the system's clock. */
  readonly clock?: Clock;
  /** To let several brokers, as of several nodes, share queues. Default: one of its own. */
  readonly server?: MemoryServer;
  readonly maxMessageBytes?: number;
}

/**
 * A broker in this process: for unit tests of handlers and of the runtime. It keeps encoded bytes,
 * honours ids, limits and leases as a server does, and can be made to fail on command.
 *
 * Lanes share the slots by weight as on a server, always in the same order; a job is handed out
 * only where there is a slot for it, so none is ever surplus. Nothing outlives the process.
 *
 * @example
 * const clock = new SimulatedClock();
 * const broker = new MemoryBroker({ clock });
 * await broker.queues.ensure("mail");
 */
export class MemoryBroker implements Broker {
  readonly solitary = true;
  readonly description = "memory";
  readonly maxMessageBytes: number;
  readonly maxValues: number = DEFAULT_MAX_VALUES;
  readonly maxDelayMs: number = DEFAULT_MAX_DELAY_MS;
  readonly queues: QueueStore;
  readonly deadLetters: DeadLetterStore;
  readonly delayed: DelayedStore;
  readonly history: HistoryStore;
  readonly locks: LockStore;
  readonly progress: ProgressStore;
  readonly blocked: BlockedStore;
  readonly batches: BatchStore;
  readonly marks: MarkStore;
  readonly #server: MemoryServer;
  readonly #connection = new Connection();
  /** Handed out over this connection and not settled. */
  readonly #deliveries = new Set<MemoryDelivery>();
  readonly #faults: {
    readonly at: SettlementStep["do"] | "enqueue";
    readonly error: MillraceError;
  }[] = [];

  constructor(options: MemoryBrokerOptions = {}) {
    this.#server = options.server ?? new MemoryServer(options.clock ?? systemClock);
    this.maxMessageBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES;
    const reach = (): void => this.#connection.reach();
    this.queues = new MemoryQueues(this.#server, reach);
    this.deadLetters = new MemoryDeadLetters(this.#server.deadLetters, reach);
    this.delayed = new MemoryDelayedStore({
      delayed: this.#server.delayed,
      clock: this.#server.clock,
      maxMessageBytes: this.maxMessageBytes,
      reach,
    });
    this.progress = new MemoryProgress(this.#server.progress, this.#connection);
    this.blocked = new MemoryBlocked(
      this.#server.blocked,
      (name) => this.#server.queue(name),
      reach,
    );
    this.history = new MemoryHistory(this.#server.history, this.#connection);
    this.batches = new MemoryBatches(this.#server.batches, reach);
    this.marks = new MemoryMarks({
      server: this.#server,
      reach: () => this.#reachToPublish(),
      publication: (job) => this.#publicationOf(job),
      closed: (queue) => this.#closed(queue),
    });
    this.locks = new MemoryLocks(this.#server.locks, this.#connection);
  }

  async documents(bucket: string): Promise<DocumentStore> {
    this.#connection.reach();
    return new MemoryDocuments(this.#server.bucket(bucket), this.#connection);
  }

  async enqueue(
    jobs: readonly Envelope[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly EnqueueResult[]> {
    return jobs.map((job) => (signal?.aborted === true ? toldToStop(job) : this.#enqueueOne(job)));
  }

  async work(queueName: string, work: WorkOptions): Promise<WorkSubscription> {
    this.#connection.reach();
    const subscription = new MemorySubscription({
      queue: this.#server.queue(queueName),
      work,
      clock: this.#server.clock,
      connection: this.#connection,
      onHandedOut: (delivery) => {
        this.#deliveries.add(delivery);
        delivery.lease.onLost(() => this.#deliveries.delete(delivery));
      },
    });
    this.#connection.attach(() => void subscription.stop());
    return subscription;
  }

  async settle(delivery: Delivery, steps: readonly SettlementStep[]): Promise<void> {
    if (!(delivery instanceof MemoryDelivery))
      throw new TypeError("This delivery came from another broker.");
    for (const step of steps) {
      if (delivery.confirmed?.includes(step) === true) continue;
      await Promise.resolve();
      this.#connection.reach();
      this.#requireHeld(delivery);
      this.#failIfAsked(step.do);
      this.#carryOut(delivery, step);
      delivery.confirmed = [...(delivery.confirmed ?? []), step];
    }
    if (steps.length === 0) this.#letGo(delivery);
  }

  async requeue(envelope: Envelope): Promise<void> {
    this.#reachToPublish();
    this.#requeue(envelope);
  }

  async successors(envelope: Envelope, message: QueueMessage): Promise<Successors> {
    this.#connection.reach();
    const { id, queue } = envelope;
    const delayed = this.#server.delayed.find(id, queue)?.envelope;
    const queued = this.#server
      .queue(queue)
      .stored.filter(({ origin }) => origin === "runtime")
      .flatMap((stored) => waitingJob(stored, id, "queued")?.envelope ?? []);
    return {
      waiting: [delayed ?? [], queued].flat().filter((job) => job.generation > envelope.generation),
      letter: this.#server.deadLetters.of(buriedIdOf(message)),
      memory: this.#server.memoryOf(queue),
    };
  }

  async moveDueJobs(): Promise<Stoppable> {
    this.#connection.reach();
    const mover = { isConnected: () => this.#connection.isConnected };
    this.#server.delayed.join(mover);
    return this.#connection.attach(() => this.#server.delayed.leave(mover));
  }

  async findWaiting(
    id: string,
    { queue, storedBefore = Number.POSITIVE_INFINITY }: FindOptions = {},
  ): Promise<WaitingJob | undefined> {
    this.#connection.reach();
    for (const delayed of this.#server.delayed.list(queue)) {
      const found = waitingJob(messageOfDelayed(delayed), id, "delayed");
      if (found !== undefined) return found;
    }
    for (const [, blocked] of this.#server.blocked.entries(queue)) {
      const found = waitingJob(messageOfBlocked(blocked), id, "blocked");
      if (found !== undefined) return found;
    }
    for (const candidate of this.#server.queues.values()) {
      if (queue !== undefined && candidate.name !== queue) continue;
      for (const message of candidate.stored) {
        if (message.storedAt >= storedBefore) continue;
        const found = waitingJob(message, id, "queued");
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  async listWaiting(
    queue: string,
    { limit = 100 }: { readonly limit?: number } = {},
  ): Promise<readonly WaitingJob[]> {
    this.#connection.reach();
    const queued = this.#server.queue(queue).stored.map((job) => anyWaitingJob(job, "queued"));
    const delayed = this.#server.delayed
      .list(queue)
      .slice(0, Math.max(0, limit - queued.length))
      .sort((a, b) => a.notBefore - b.notBefore)
      .map((job) => anyWaitingJob(messageOfDelayed(job), "delayed"));
    return [...queued, ...delayed].slice(0, limit);
  }

  async whoRuns(id: string): Promise<RunningJob | undefined> {
    this.#connection.reach();
    for (const answer of this.#server.runners) {
      const running = answer(id);
      if (running !== undefined) return running;
    }
    return undefined;
  }

  async answerWhoRuns(answer: (id: string) => RunningJob | undefined): Promise<Stoppable> {
    this.#connection.reach();
    const answerIfConnected = (id: string): RunningJob | undefined =>
      this.#connection.isConnected ? answer(id) : undefined;
    this.#server.runners.add(answerIfConnected);
    return this.#connection.attach(() => void this.#server.runners.delete(answerIfConnected));
  }

  async listRunning({ queue }: { readonly queue?: string }): Promise<readonly RunningJob[]> {
    this.#connection.reach();
    return [...this.#server.runningLists]
      .flatMap((list) => list())
      .filter((job) => queue === undefined || job.queue === queue)
      .sort((a, b) => a.startedAt - b.startedAt);
  }

  async answerListRunning(answer: () => readonly RunningJob[]): Promise<Stoppable> {
    this.#connection.reach();
    const answerIfConnected = (): readonly RunningJob[] =>
      this.#connection.isConnected ? answer() : [];
    this.#server.runningLists.add(answerIfConnected);
    return this.#connection.attach(() => void this.#server.runningLists.delete(answerIfConnected));
  }

  get status(): BrokerStatus {
    return this.#connection.status;
  }

  onStatus(listener: (status: BrokerStatus) => void): () => void {
    return this.#connection.onStatus(listener);
  }

  async serverNow(): Promise<number> {
    this.#connection.reach();
    return this.#server.clock.now();
  }

  async ping(): Promise<number> {
    this.#connection.reach();
    return 0;
  }

  /** What it still holds is not settled: others get it when the leases have run out. */
  async close(): Promise<void> {
    if (this.#connection.status === "closed") return;
    this.#connection.detachAll();
    this.#connection.change("closed");
    this.#deliveries.clear();
  }

  // What a test does to it.

  /** The line to the server is cut: calls fail, leases are not extended, nothing is delivered. */
  disconnect(): void {
    this.#connection.change("disconnected");
  }

  reconnect(): void {
    this.#connection.change("connected");
    this.#server.delayed.rearm();
    for (const queue of this.#server.queues.values()) queue.wake();
  }

  /**
   * Every lease this broker holds on the queue passes to another holder, now. The holders are told
   * first.
   */
  loseLeases(queue: string): void {
    for (const delivery of [...this.#deliveries]) {
      if (delivery.queue.name !== queue) continue;
      delivery.lease.lose();
      delivery.queue.release(delivery.hold);
    }
  }

  /**
   * The process that used this broker is gone, as with SIGKILL: its subscriptions and timers end
   * without a word, and what it had in hand comes back when the leases have run out. The broker
   * itself serves a next process.
   */
  crashHolder(): void {
    this.#connection.detachAll();
    for (const delivery of this.#deliveries) delivery.lease.end();
    this.#deliveries.clear();
  }

  /** The next step of this kind fails, before it does anything. */
  failNext(at: SettlementStep["do"] | "enqueue", error: MillraceError): void {
    this.#faults.push({ at, error });
  }

  #enqueueOne(job: Envelope): EnqueueResult {
    try {
      this.#reachToPublish();
      this.#failIfAsked("enqueue");
      const publication = this.#publicationOf(job);
      const queue = this.#server.queue(job.queue);
      return { ok: true, id: job.id, queue: job.queue, ...queue.publish(publication) };
    } catch (error) {
      if (MillraceError.is(error, "queue-closed"))
        return { ok: false, id: job.id, queue: job.queue, error: this.#closed(job.queue) };
      if (MillraceError.is(error)) return { ok: false, id: job.id, queue: job.queue, error };
      throw error;
    }
  }

  /** @throws MillraceError where the job can't be sent */
  #publicationOf(job: Envelope): Publication {
    const isNew = job.generation === 0;
    const now = this.#server.clock.now();
    const far = isNew ? tooFarAhead(job.notBefore, now, this.maxDelayMs) : undefined;
    if (far !== undefined) throw new MillraceError("invalid-option", `The job ${job.id}: ${far}.`);
    const publication = publicationOf(
      job,
      needsProgramDoor(job) ? "program" : "producer",
      writeEnvelope(job, "msgpack", { maxValues: this.maxValues, exact: isNew, wellFormed: isNew }),
    );
    const bytes = sizeOf(publication);
    if (bytes <= this.maxMessageBytes) return publication;
    throw new MillraceError(
      "payload-too-large",
      `The job takes ${bytes} bytes and the broker lets ${this.maxMessageBytes} through. Send a reference to the data instead of the data.`,
    );
  }

  #closed(queue: string): MillraceError {
    return queueClosed(queue, this.#server.bucket(CONTROLS_BUCKET).get(queue)?.value);
  }

  #carryOut(delivery: MemoryDelivery, step: SettlementStep): void {
    switch (step.do) {
      case "requeue":
        return this.#requeue(step.envelope);
      case "block":
        return this.#block(step.envelope, step.gate);
      case "enqueue":
        return this.#requeue(step.envelope);
      case "bury":
        return this.#bury(step.letter, buriedIdOf(delivery.message, step));
      case "record":
        return void this.#server.history.add(step.record);
      case "ack":
        delivery.queue.remove(delivery.hold);
        return this.#letGo(delivery);
    }
  }

  /** Once, however often it is repeated: a server forgets after a while that it has it. */
  #bury(letter: DeadLetter, buriedId: string): void {
    const { deadLetters } = this.#server;
    if (deadLetters.of(buriedId) === undefined) deadLetters.add(letter, buriedId);
  }

  #requeue(envelope: Envelope): void {
    const publication = requeueOf(envelope, this.maxMessageBytes);
    const now = this.#server.clock.now();
    const queue = this.#server.queue(envelope.queue);
    if (envelope.notBefore !== undefined && envelope.notBefore > now) {
      this.#server.delayed.add({
        queue: envelope.queue,
        notBefore: envelope.notBefore,
        storedAt: now,
        publication,
      });
    } else {
      queue.publish(publication);
    }
  }

  #block(envelope: Envelope, gate: string): void {
    this.#server.blocked.add({
      queue: envelope.queue,
      gate,
      storedAt: this.#server.clock.now(),
      publication: requeueOf(envelope, this.maxMessageBytes),
    });
  }

  #requireHeld(delivery: MemoryDelivery): void {
    if (!this.#deliveries.has(delivery) || !delivery.lease.isHeld()) {
      throw new MillraceError(
        "lock-lost",
        "This delivery is settled, or its lease was lost: another holder may have the job. Settle nothing.",
      );
    }
  }

  #letGo(delivery: MemoryDelivery): void {
    delivery.lease.end();
    this.#deliveries.delete(delivery);
  }

  #reachToPublish(): void {
    if (this.#connection.status === "disconnected") {
      throw new MillraceError(
        "publish-timeout",
        "No confirmation came: the connection is down at the moment. Publish again with the same id.",
      );
    }
    this.#connection.reach();
  }

  #failIfAsked(at: SettlementStep["do"] | "enqueue"): void {
    const index = this.#faults.findIndex((fault) => fault.at === at);
    const [fault] = index < 0 ? [] : this.#faults.splice(index, 1);
    if (fault !== undefined) throw fault.error;
  }
}

function toldToStop({ id, queue }: Envelope): EnqueueResult {
  const error = new MillraceError(
    "publish-timeout",
    "Told to stop before the message was sent: it is not stored.",
  );
  return { ok: false, id, queue, error };
}
