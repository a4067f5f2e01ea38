import {
  type ArrivalStore,
  type BatchStore,
  type BlockedStore,
  type Broker,
  type BrokerStatus,
  CONTROLS_BUCKET,
  type DeadLetterStore,
  DEFAULT_MAX_DELAY_MS,
  DEFAULT_MAX_VALUES,
  type DelayedStore,
  type Delivery,
  type DocumentOptions,
  type DocumentStore,
  type EnqueueCall,
  type EnqueueResult,
  type Envelope,
  type FindOptions,
  type HistoryStore,
  type InboxStore,
  inPlaces,
  type JobRef,
  type JobLogStore,
  type JournalStore,
  type LockStore,
  type MarkStore,
  type MessagePublisher,
  MillraceError,
  type ProgressStore,
  queueClosed,
  type QueueMessage,
  type QueueStore,
  type MeantRun,
  type RunningJob,
  type SettlementStep,
  type SignalStore,
  type Stoppable,
  type Successors,
  type WaitingJob,
  type WaitingQuery,
  type WorkOptions,
  type WorkSubscription,
} from "@millrace/core";
import {
  type MemoryBrokerOptions,
  memoryBrokerOptions,
  SERVER_ROOM_BYTES,
} from "./memory-broker-options.ts";
import { carryOut, requeue } from "./memory/carry-out.ts";
import { Connection } from "./memory/connection.ts";
import { type FaultAt, PlannedFaults } from "./memory/planned-faults.ts";
import { HandedOut } from "./memory/handed-out.ts";
import { MemoryArrivals } from "./memory/stores/memory-arrivals.ts";
import { MemoryBatches } from "./memory/stores/memory-batches.ts";
import { MemoryBlocked } from "./memory/stores/memory-blocked.ts";
import { MemoryDeadLetters } from "./memory/stores/memory-dead-letters.ts";
import { MemoryDelayedStore } from "./memory/stores/memory-delayed-store.ts";
import { MemoryDocuments } from "./memory/stores/memory-documents.ts";
import { MemoryHistory } from "./memory/stores/memory-history.ts";
import { MemoryInbox } from "./memory/stores/memory-inbox.ts";
import { MemoryJobLogs } from "./memory/stores/memory-job-logs.ts";
import { MemoryJournal } from "./memory/stores/memory-journal.ts";
import { MemoryLookup } from "./memory/memory-lookup.ts";
import { MemoryLocks } from "./memory/stores/memory-locks.ts";
import { MemoryMarks } from "./memory/stores/memory-marks.ts";
import { MemoryMessages } from "./memory/stores/memory-messages.ts";
import { MemoryProgress } from "./memory/stores/memory-progress.ts";
import { enqueueOf, keyedOf, toldToStop } from "./memory/publication.ts";
import { MemoryQueues } from "./memory/memory-queues.ts";
import { MemorySignals } from "./memory/stores/memory-signals.ts";
import type { MemoryServer } from "./memory/memory-server.ts";
import { MemoryDelivery, MemorySubscription } from "./memory/memory-subscription.ts";

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
  readonly #locks: MemoryLocks;
  readonly progress: ProgressStore;
  readonly blocked: BlockedStore;
  readonly batches: BatchStore;
  readonly journal: JournalStore;
  readonly signals: SignalStore;
  readonly inbox: InboxStore;
  readonly jobLogs: JobLogStore;
  readonly arrivals: ArrivalStore;
  readonly marks: MarkStore;
  readonly #marks: MemoryMarks;
  readonly messages: MessagePublisher;
  readonly #server: MemoryServer;
  readonly #connection = new Connection();
  readonly #lookup: MemoryLookup;
  /** Handed out over this connection and not settled. */
  readonly #deliveries = new HandedOut();
  readonly #faults = new PlannedFaults();

  /** @throws MillraceError `invalid-option` */
  constructor(options: MemoryBrokerOptions = {}) {
    const { server, maxMessageBytes } = memoryBrokerOptions(options);
    this.#server = server;
    this.maxMessageBytes = maxMessageBytes;
    this.#lookup = new MemoryLookup(this.#server, this.#connection);
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
    const largest = maxMessageBytes + SERVER_ROOM_BYTES;
    this.journal = new MemoryJournal(this.#server.journal, largest, reach);
    this.signals = new MemorySignals(this.#server.signals, this.#connection);
    this.inbox = new MemoryInbox(this.#server.inbox, this.#connection);
    this.jobLogs = new MemoryJobLogs(this.#server.jobLogs, reach);
    this.arrivals = new MemoryArrivals(this.#server, this.#connection);
    this.messages = new MemoryMessages(this.#server.messages, () => this.#reachToPublish());
    this.marks = this.#marks = new MemoryMarks({
      server: this.#server,
      reach: () => this.#reachToPublish(),
      publication: (job) => enqueueOf(job, this.#server.clock.now(), this),
      closed: (queue) => this.#closed(queue),
    });
    this.locks = this.#locks = new MemoryLocks(this.#server.locks, this.#connection);
  }

  async documents(bucket: string, options?: DocumentOptions): Promise<DocumentStore> {
    this.#connection.reach();
    return new MemoryDocuments(this.#server.bucket(bucket, options), this.#connection);
  }

  async enqueue(
    jobs: readonly Envelope[],
    { signal, together = false, keys, own }: EnqueueCall = {},
  ): Promise<readonly EnqueueResult[]> {
    if (signal?.aborted === true) return jobs.map(toldToStop);
    const known = jobs.map((job) => this.#lookup.known(job, keys));
    const going = jobs.filter((_, index) => known[index] === undefined);
    const sent = together
      ? await this.#marks.together(going)
      : going.map((job) => this.#enqueueOne(job, keys, own));
    return inPlaces(known, sent);
  }

  async work(queueName: string, work: WorkOptions): Promise<WorkSubscription> {
    this.#connection.reach();
    const subscription = new MemorySubscription({
      queue: this.#server.queue(queueName),
      work,
      clock: this.#server.clock,
      connection: this.#connection,
      onHandedOut: (delivery) => this.#deliveries.add(delivery),
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
      this.#deliveries.require(delivery);
      this.#faults.raise(step.do);
      this.#carryOut(delivery, step);
      delivery.confirmed = [...(delivery.confirmed ?? []), step];
    }
    if (steps.length === 0) this.#deliveries.abandon(delivery);
  }

  async requeue(envelope: Envelope): ReturnType<Broker["requeue"]> {
    this.#reachToPublish();
    return requeue(this.#server, envelope, this.maxMessageBytes);
  }

  successors(envelope: Envelope, message: QueueMessage): Promise<Successors> {
    return this.#lookup.successors(envelope, message);
  }

  async moveDueJobs(): Promise<Stoppable> {
    this.#connection.reach();
    const mover = { isConnected: () => this.#connection.isConnected };
    this.#server.delayed.join(mover);
    return this.#connection.attach(() => this.#server.delayed.leave(mover));
  }

  onRecordSince(job: JobRef): Promise<number | undefined> {
    return Promise.resolve(this.#lookup.onRecordSince(job));
  }

  findWaiting(id: string, options?: FindOptions): Promise<WaitingJob | undefined> {
    return this.#lookup.findWaiting(id, options);
  }

  listWaiting(queue: string, query?: WaitingQuery): Promise<readonly WaitingJob[]> {
    return this.#lookup.listWaiting(queue, query);
  }

  whoRuns(id: string, meant: MeantRun = {}): Promise<RunningJob | undefined> {
    return this.#lookup.whoRuns(id, meant);
  }

  answerWhoRuns(
    answer: (id: string, meant: MeantRun) => RunningJob | undefined,
  ): Promise<Stoppable> {
    return this.#lookup.answerWhoRuns(answer);
  }

  listRunning(options: Parameters<Broker["listRunning"]>[0]): Promise<readonly RunningJob[]> {
    return this.#lookup.listRunning(options);
  }

  answerListRunning(...how: Parameters<Broker["answerListRunning"]>): Promise<Stoppable> {
    return this.#lookup.answerListRunning(...how);
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
    this.#deliveries.lose(queue);
  }

  /**
   * The process that used this broker is gone, as with SIGKILL: its subscriptions and timers end
   * without a word, and what it had in hand comes back when the leases have run out. The broker
   * itself serves a next process.
   */
  crashHolder(): void {
    this.#connection.detachAll();
    this.#deliveries.end();
  }

  /** What is asked of its locks is done, and no answer comes, until it is told otherwise. */
  loseLockAnswers(areLost: boolean): void {
    this.#locks.losesAnswers = areLost;
  }

  /** The next step of this kind fails, before it does anything. */
  failNext(at: FaultAt, error: MillraceError): void {
    this.#faults.plan(at, error);
  }

  #enqueueOne(job: Envelope, keys?: ReadonlySet<string>, own = false): EnqueueResult {
    try {
      this.#reachToPublish();
      this.#faults.raise("enqueue");
      const made = enqueueOf(job, this.#server.clock.now(), this, own);
      const publication = keyedOf(job, made, keys);
      const queue = this.#server.queue(job.queue);
      return { ok: true, id: job.id, queue: job.queue, ...queue.publish(publication) };
    } catch (error) {
      if (MillraceError.is(error, "queue-closed"))
        return { ok: false, id: job.id, queue: job.queue, error: this.#closed(job.queue) };
      if (MillraceError.is(error)) return { ok: false, id: job.id, queue: job.queue, error };
      throw error;
    }
  }

  #closed(queue: string): MillraceError {
    return queueClosed(queue, this.#server.bucket(CONTROLS_BUCKET).get(queue)?.value);
  }

  #carryOut(delivery: MemoryDelivery, step: SettlementStep): void {
    if (step.do !== "ack")
      return carryOut(this.#server, step, delivery.message, this.maxMessageBytes);
    delivery.queue.remove(delivery.hold);
    this.#deliveries.abandon(delivery);
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
}
