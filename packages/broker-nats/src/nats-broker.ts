import {
  type BatchStore,
  type Broker,
  type BrokerStatus,
  type CloseOptions,
  type DeadLetterStore,
  type DelayedStore,
  type Delivery,
  type DisciplinedClock,
  type DocumentStore,
  type EnqueueResult,
  type Envelope,
  type HistoryStore,
  type Lease,
  type LockStore,
  type MarkStore,
  type MessagePublisher,
  MillraceError,
  type QueueMessage,
  type QueueStore,
  requireQueueName,
  type RunningJob,
  type ServerEndpoint,
  type SettlementStep,
  type SignalStore,
  type Stoppable,
  type Successors,
  type FindOptions,
  type WaitingJob,
  type WorkOptions,
  type WorkSubscription,
} from "@millrace/core";
import { NatsBlocked } from "./store/nats-blocked.ts";
import type { BrokerConfig } from "./broker-options.ts";
import { closeForGood } from "./connection/close-for-good.ts";
import { Line } from "./connection/line.ts";
import { Openings } from "./connection/openings.ts";
import type { ServerFeatures } from "./connection/server-features.ts";
import { NatsDelayedJobs } from "./delayed/delayed-jobs.ts";
import { Delays } from "./delayed/delays.ts";
import { DueMover } from "./delayed/due-mover.ts";
import { explainClosed } from "./enqueue-closed.ts";
import { enqueue } from "./enqueue.ts";
import { request } from "./jetstream-errors.ts";
import { findWaiting } from "./lookup/find-waiting.ts";
import { listWaiting } from "./lookup/list-waiting.ts";
import { LaterGenerations } from "./lookup/later-generations.ts";
import { successors } from "./lookup/successors.ts";
import { answerListRunning, listRunning } from "./lookup/list-running.ts";
import { answerWhoRuns, whoRuns } from "./lookup/who-runs.ts";
import { NatsMarks } from "./marks/nats-marks.ts";
import { NatsMessages } from "./messages/nats-messages.ts";
import { ConfirmedPublisher } from "./publish/confirmed-publisher.ts";
import { OwnWords } from "./publish/own-words.ts";
import { Settler } from "./settlement/settler.ts";
import { NatsBatches } from "./store/batches.ts";
import { NatsDeadLetters } from "./store/dead-letters.ts";
import { DocumentBuckets } from "./documents/document-buckets.ts";
import { NatsHistory } from "./store/history.ts";
import { NatsJobLogs } from "./store/job-logs.ts";
import { NatsJournal } from "./store/journal.ts";
import { NatsLocks } from "./locks/locks.ts";
import { NatsProgress } from "./store/progress.ts";
import { NatsQueues } from "./store/queues.ts";
import { NatsSignals } from "./store/signals.ts";
import { serverNow } from "./reads/server-now.ts";
import type { ServerAccess } from "./store/server-access.ts";
import type { SizeLimits } from "./topology/size-limits.ts";
import { JobEnds } from "./settlement/job-ends.ts";
import { DedupeWindows } from "./topology/dedupe-windows.ts";
import { SharedStreams } from "./topology/shared-streams.ts";
import { LeaseDesks, type OpenLeases } from "./work/lease-desk.ts";
import { NatsDelivery } from "./work/nats-delivery.ts";
import { QueueSubscription } from "./work/queue-subscription.ts";

export interface NatsBrokerParts {
  readonly server: ServerAccess;
  readonly features: ServerFeatures;
  readonly limits: SizeLimits;
  readonly config: BrokerConfig;
  /** The connection's. Follows the server's with each `serverNow()`. */
  readonly clock: DisciplinedClock;
  readonly openLeases: OpenLeases;
}

/**
 * What is under way when the connection ends has this long to be confirmed, or as little as its
 * closer has.
 */
const CLOSE_PATIENCE_MS = 5_000;
const HURRIED = { attemptTimeoutMs: 500, timeoutMs: 1_000 };

/** The `Broker` port on JetStream. Made by `connectBroker`. */
export class NatsBroker implements Broker {
  readonly maxMessageBytes: number;
  readonly maxValues: number;
  readonly maxDelayMs: number;
  readonly queues: QueueStore;
  readonly deadLetters: DeadLetterStore;
  readonly delayed: DelayedStore;
  readonly history: HistoryStore;
  readonly locks: LockStore;
  readonly progress: NatsProgress;
  readonly blocked: NatsBlocked;
  readonly batches: BatchStore;
  readonly journal: NatsJournal;
  readonly signals: SignalStore;
  readonly jobLogs: NatsJobLogs;
  readonly messages: MessagePublisher;
  readonly #parts: NatsBrokerParts;
  readonly #server: ServerAccess;
  /** Two, so that a bulk enqueue never stands in the way of a settlement. */
  readonly #enqueuer: ConfirmedPublisher;
  readonly #settlePublisher: ConfirmedPublisher;
  /** For the moves that must not be repeated for long; few have any. */
  #hurriedPublisher: ConfirmedPublisher | undefined;
  readonly #ownWords: OwnWords;
  readonly #delays: Delays;
  readonly #laterGenerations: LaterGenerations;
  readonly #windows: DedupeWindows;
  readonly #settler: Settler;
  readonly #desks: LeaseDesks;
  readonly #open = new Openings();
  readonly #marks: NatsMarks;
  readonly #streams: SharedStreams;
  readonly #line: Line;
  readonly #documents: DocumentBuckets;
  #closing: Promise<void> | undefined;

  constructor(parts: NatsBrokerParts) {
    const { server, features, limits, config, clock } = parts;
    const { nc, names } = server;
    this.#parts = parts;
    this.#server = server;
    this.maxMessageBytes = limits.producer;
    this.maxValues = config.maxValues;
    this.maxDelayMs = config.maxDelayMs;
    this.#enqueuer = new ConfirmedPublisher(nc);
    this.#settlePublisher = new ConfirmedPublisher(nc);
    this.#laterGenerations = new LaterGenerations(server);
    this.#delays = new Delays(server, names, config.replicas);
    this.#streams = new SharedStreams({
      server,
      config,
      delays: this.#delays,
      features: () => this.#line.features,
      ensureProgress: () => this.progress.ensure(),
    });
    this.#windows = new DedupeWindows(server);
    const ends = new JobEnds(server, this.#windows);
    this.history = new NatsHistory(server, this.#report, ends);
    this.#ownWords = new OwnWords(server, this.#settlePublisher, this.history, (queue) =>
      this.#windows.memoryOf(queue),
    );
    this.#settler = new Settler({
      server,
      publisher: this.#settlePublisher,
      ownWords: this.#ownWords,
      ends,
      delays: this.#delays,
      limits,
      remakeStreams: () => this.#streams.remake(),
    });
    this.#desks = new LeaseDesks({
      open: parts.openLeases,
      roundTrip: () => nc.flush(),
      onProblem: this.#report,
    });
    this.queues = new NatsQueues(server, limits, config.replicas);
    this.deadLetters = new NatsDeadLetters(server);
    this.delayed = new NatsDelayedJobs({
      server,
      limits,
      maxDelayMs: config.maxDelayMs,
      patient: this.#settlePublisher,
      hurried: () => (this.#hurriedPublisher ??= new ConfirmedPublisher(nc, HURRIED)),
      ensureStreams: () => this.#streams.ensure(),
      now: () => clock.now(),
    });
    this.blocked = new NatsBlocked(
      server,
      this.#settlePublisher,
      this.#ownWords,
      this.#windows,
      this.history,
    );
    this.locks = new NatsLocks(server, config.replicas, (...lock) => this.#desks.keepLock(...lock));
    this.progress = new NatsProgress(server, this.#settlePublisher, config.replicas, this.#report);
    this.#documents = new DocumentBuckets(server, config.replicas, this.#report);
    this.batches = new NatsBatches(server, this.#settlePublisher, config.replicas);
    this.journal = new NatsJournal(server, this.#settlePublisher, config.replicas);
    this.signals = new NatsSignals({
      server,
      publisher: this.#settlePublisher,
      replicas: config.replicas,
      onProblem: this.#report,
    });
    this.jobLogs = new NatsJobLogs(server, config.jobLogs, config.replicas);
    this.messages = new NatsMessages(server, this.#enqueuer);
    this.#marks = new NatsMarks(server, this, (bucket) => this.documents(bucket));
    this.#line = new Line(nc, features, {
      onOtherServer: () => {
        this.#delays.doubt();
        this.#streams
          .lookAgain()
          .catch((error: unknown) => this.#report(error, "look at the streams after a reconnect"));
      },
      onUnknownServer: (error) => this.#report(error, "use the server after a reconnect"),
    });
  }

  get description(): string {
    return `nats ${this.#line.features.version}`;
  }

  get endpoint(): ServerEndpoint | undefined {
    return this.#line.endpoint;
  }

  get solitary(): boolean {
    const { info } = this.#server.nc;
    // Without JetStream of its own it is a leaf before another server.
    return info?.jetstream === true && info.cluster === undefined;
  }

  /** What the connected server can do. */
  get features(): ServerFeatures {
    return this.#line.features;
  }

  enqueue(
    jobs: readonly Envelope[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly EnqueueResult[]> {
    const { nc, names } = this.#server;
    return explainClosed(
      enqueue(jobs, this.#enqueuer, names, this, this.#parts.clock, signal),
      nc,
      names,
      (bucket) => this.documents(bucket),
    );
  }

  get marks(): MarkStore | undefined {
    return this.#line.features.atomicBatch ? this.#marks : undefined;
  }

  documents(bucket: string): Promise<DocumentStore> {
    return this.#documents.open(bucket);
  }

  async work(queue: string, work: WorkOptions): Promise<WorkSubscription> {
    requireQueueName(queue);
    this.#requireOpen();
    await this.#streams.ensure();
    const subscription = await QueueSubscription.start({
      server: this.#server,
      queue,
      work,
      desks: this.#desks,
      requireOpen: () => this.#requireOpen(),
      onProblem: this.#report,
      onStop: (stopped) => void this.#open.delete(stopped),
    });
    this.#open.add(subscription);
    return subscription;
  }

  settle(delivery: Delivery, steps: readonly SettlementStep[]): Promise<void> {
    if (delivery instanceof NatsDelivery) return this.#settler.settle(delivery, steps);
    return Promise.reject(
      new MillraceError(
        "invalid-option",
        "delivery: this delivery came from another broker. Settle it where it came from.",
      ),
    );
  }

  async requeue(envelope: Envelope, { lease }: { readonly lease?: Lease } = {}): Promise<void> {
    this.#requireOpen();
    // Whether a delayed job is scheduled or postponed is known once the streams are.
    await this.#streams.ensure();
    await this.#settler.requeue(envelope, lease);
  }

  successors(envelope: Envelope, message: QueueMessage): Promise<Successors> {
    this.#requireOpen();
    return successors(this.#server, this.#laterGenerations, this.#windows, envelope, message);
  }

  async moveDueJobs(): Promise<Stoppable> {
    this.#requireOpen();
    await this.#streams.ensure();
    return this.#open.keep(
      await DueMover.start({
        server: this.#server,
        publisher: this.#settlePublisher,
        ownWords: this.#ownWords,
        remakeStreams: () => this.#streams.remake(),
        onProblem: this.#report,
      }),
    );
  }

  findWaiting(id: string, options: FindOptions = {}): Promise<WaitingJob | undefined> {
    return findWaiting(this.#server, this.blocked, id, options);
  }

  listWaiting(
    queue: string,
    options: { readonly limit?: number } = {},
  ): Promise<readonly WaitingJob[]> {
    return listWaiting(this.#server, queue, options.limit);
  }

  whoRuns(id: string, options: { readonly timeoutMs: number }): Promise<RunningJob | undefined> {
    return whoRuns(this.#server.nc, this.#server.names.whoRuns, id, options.timeoutMs);
  }

  async answerWhoRuns(answer: (id: string) => RunningJob | undefined): Promise<Stoppable> {
    return this.#open.keep(await answerWhoRuns(this.#server, answer));
  }

  listRunning(options: {
    readonly timeoutMs: number;
    readonly queue?: string;
  }): Promise<readonly RunningJob[]> {
    return listRunning(this.#server.nc, this.#server.names.running, options);
  }

  async answerListRunning(answer: () => readonly RunningJob[]): Promise<Stoppable> {
    return this.#open.keep(await answerListRunning(this.#server, answer));
  }

  get status(): BrokerStatus {
    return this.#line.status;
  }

  onStatus(listener: (status: BrokerStatus) => void): () => void {
    return this.#line.onStatus(listener);
  }

  async serverNow(): Promise<number> {
    this.#requireOpen();
    await this.#streams.ensure();
    const { jsm, names } = this.#server;
    const { clock } = this.#parts;
    // Always of one stream: in a cluster each has a leader of its own, with a clock of its own.
    const { serverMs } = await clock.ask(() => serverNow(jsm, names.deadStream));
    return serverMs;
  }

  ping(): Promise<number> {
    return request("reach the server", () => this.#server.nc.rtt());
  }

  close({ withinMs = CLOSE_PATIENCE_MS }: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(Math.min(withinMs, CLOSE_PATIENCE_MS));
    return this.#closing;
  }

  async #close(patienceMs: number): Promise<void> {
    const { nc } = this.#server;
    const underWay = (async () => {
      await this.#open.stop();
      await Promise.all([
        this.#enqueuer.close(),
        this.#settlePublisher.close(),
        this.#documents.close(),
        this.journal.close(),
        this.jobLogs.close(),
        this.#hurriedPublisher?.close(),
      ]);
      // Acks are not confirmed: this is what sees them off.
      if (!nc.isClosed()) await nc.flush();
    })();
    const patience = Promise.withResolvers<void>();
    const timer = this.#parts.clock.setTimer(
      this.#line.status === "connected" ? patienceMs : 0,
      patience.resolve,
    );
    await Promise.race([
      underWay.catch((error: unknown) => this.#report(error, "flush what was under way")),
      patience.promise,
    ]);
    timer.cancel();
    await this.#desks.close();
    await closeForGood(nc);
    this.#line.close();
  }

  #requireOpen(): void {
    if (this.#closing !== undefined)
      throw new MillraceError("connection-closed", "This broker was closed. Connect again.");
  }

  readonly #report = (error: unknown, doing: string): void => {
    this.#parts.config.logger.warn({ err: error }, `Could not ${doing}.`);
  };
}
