import {
  type ArrivalStore,
  type BatchStore,
  type Broker,
  type BrokerStatus,
  type CloseOptions,
  type DeadLetterStore,
  type DelayedStore,
  type Delivery,
  type DocumentOptions,
  type DocumentStore,
  type EnqueueCall,
  type EnqueueResult,
  type Envelope,
  type HistoryStore,
  type InboxStore,
  type JobRef,
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
  type WaitingQuery,
  type WorkOptions,
  type WorkSubscription,
  recordError,
} from "@millrace/core";
import type { NatsBlocked } from "./store/nats-blocked.ts";
import { closeForGood } from "./connection/close-for-good.ts";
import { onFault } from "./connection/hear-on.ts";
import { Line } from "./connection/line.ts";
import { Openings } from "./connection/openings.ts";
import type { ServerFeatures } from "./connection/server-features.ts";
import { DueMover } from "./delayed/due-mover.ts";
import { explainClosed } from "./enqueue-closed.ts";
import { enqueue } from "./enqueue.ts";
import { enqueueOwn } from "./publish/enqueue-own.ts";
import { request } from "./jetstream-errors.ts";
import { brokerClosed } from "./requests/failures.ts";
import { findWaiting } from "./lookup/find-waiting.ts";
import { listWaiting } from "./lookup/list-waiting.ts";
import { successors } from "./lookup/successors.ts";
import { isSolitary } from "./connection/retrying-requests.ts";
import { answerListRunning, listRunning } from "./lookup/list-running.ts";
import { answerWhoRuns, whoRuns } from "./lookup/who-runs.ts";
import { type NatsBrokerParts, type NatsStores, natsStores } from "./nats-stores.ts";
import { NatsMarks } from "./marks/nats-marks.ts";
import type { NatsJobLogs } from "./store/job-logs.ts";
import type { NatsJournal } from "./store/journal.ts";
import type { NatsProgress } from "./store/progress.ts";
import { serverNow } from "./reads/server-now.ts";
import type { ServerAccess } from "./store/server-access.ts";
import { NatsDelivery } from "./work/nats-delivery.ts";
import { QueueSubscription } from "./work/queue-subscription.ts";

/**
 * What is under way when the connection ends has this long to be confirmed, or as little as its
 * closer has.
 */
const CLOSE_PATIENCE_MS = 5_000;
const NO_KEYS: ReadonlySet<string> = new Set();

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
  readonly inbox: InboxStore;
  readonly jobLogs: NatsJobLogs;
  readonly arrivals: ArrivalStore;
  readonly messages: MessagePublisher;
  readonly #parts: NatsBrokerParts;
  readonly #server: ServerAccess;
  readonly #stores: NatsStores;
  readonly #open = new Openings();
  readonly #marks: NatsMarks;
  readonly #line: Line;
  #closing: Promise<void> | undefined;

  constructor(parts: NatsBrokerParts) {
    const { server, features, limits, config } = parts;
    this.#parts = parts;
    this.#server = server;
    this.maxMessageBytes = limits.producer;
    this.maxValues = config.maxValues;
    this.maxDelayMs = config.maxDelayMs;
    const stores = natsStores(parts, this.#report, () => this.#line.features);
    this.#stores = stores;
    onFault(server.nc, (error) => this.#report(error, "take in what the server said"));
    this.queues = stores.queues;
    this.deadLetters = stores.deadLetters;
    this.delayed = stores.delayed;
    this.history = stores.history;
    this.locks = stores.locks;
    this.progress = stores.progress;
    this.blocked = stores.blocked;
    this.batches = stores.batches;
    this.journal = stores.journal;
    this.signals = stores.signals;
    this.inbox = stores.inbox;
    this.jobLogs = stores.jobLogs;
    this.arrivals = stores.arrivals;
    this.messages = stores.messages;
    this.#marks = new NatsMarks(server, this, (...asked) => this.documents(...asked));
    this.#line = new Line(server.nc, features, {
      onOtherServer: () => {
        stores.delays.forget();
        stores.inbox.forget();
        void stores.streams.lookAgain();
      },
      onUnknownServer: (error) => this.#report(error, "use the server after a reconnect"),
      onRefused: (error) =>
        config.logger.error({ error: recordError(error) }, "the server refuses the credentials"),
    });
  }

  get description(): string {
    return `nats ${this.#line.features.version}`;
  }

  get endpoint(): ServerEndpoint | undefined {
    return this.#line.endpoint;
  }

  get solitary(): boolean {
    return isSolitary(this.#server.nc);
  }

  /** What the connected server can do. */
  get features(): ServerFeatures {
    return this.#line.features;
  }

  enqueue(
    jobs: readonly Envelope[],
    { signal, newIds = false, together = false, keys = NO_KEYS, own }: EnqueueCall = {},
  ): Promise<readonly EnqueueResult[]> {
    const { nc, names } = this.#server;
    const { enqueuer, queueBatches, keyed, ownWords } = this.#stores;
    const { clock } = this.#parts;
    const explained = (sent: Promise<readonly EnqueueResult[]>) =>
      explainClosed(sent, nc, names, (...asked) => this.documents(...asked));
    if (own === true)
      return explained(
        enqueueOwn(jobs, { publisher: enqueuer, ownWords, names, limits: this, clock }),
      );
    // What may be taken back must not be on its way with others.
    const inBatches = newIds && signal === undefined && jobs.length > 1;
    const batches = inBatches ? queueBatches.of(jobs[0]?.queue ?? "") : undefined;
    const host = { publisher: batches ?? enqueuer, names, limits: this, clock };
    const send = (going: readonly Envelope[], unsent: ReadonlySet<string>, until = signal) =>
      together
        ? this.#marks.enqueueTogether(going, this.#line.features, until)
        : enqueue(going, host, { keys: unsent, signal: until });
    const sent =
      keys.size === 0 ? send(jobs, NO_KEYS) : keyed.enqueue(jobs, { keys, signal, together }, send);
    return together ? sent : explained(sent);
  }

  get marks(): MarkStore | undefined {
    return this.#line.features.atomicBatch ? this.#marks : undefined;
  }

  documents(bucket: string, options?: DocumentOptions): Promise<DocumentStore> {
    return this.#stores.documents.open(bucket, options);
  }

  async work(queue: string, work: WorkOptions): Promise<WorkSubscription> {
    requireQueueName(queue);
    this.#requireOpen();
    await this.#stores.streams.ensure();
    const subscription = await QueueSubscription.start({
      server: this.#server,
      queue,
      work,
      leases: this.#stores.leases,
      skipped: this.#stores.skipped,
      requireOpen: () => this.#requireOpen(),
      onProblem: this.#report,
      onStop: (stopped) => void this.#open.delete(stopped),
    });
    this.#open.add(subscription);
    return subscription;
  }

  settle(delivery: Delivery, steps: readonly SettlementStep[]): Promise<void> {
    if (delivery instanceof NatsDelivery) return this.#stores.settler.settle(delivery, steps);
    return Promise.reject(
      new MillraceError(
        "invalid-option",
        "delivery: this delivery came from another broker. Settle it where it came from.",
      ),
    );
  }

  async requeue(
    ...[envelope, { lease } = {}]: Parameters<Broker["requeue"]>
  ): ReturnType<Broker["requeue"]> {
    this.#requireOpen();
    // Whether a delayed job is scheduled or postponed is known once the streams are.
    await this.#stores.streams.ensure();
    return this.#stores.settler.requeue(envelope, lease);
  }

  successors(envelope: Envelope, message: QueueMessage): Promise<Successors> {
    this.#requireOpen();
    return successors(
      this.#server,
      this.#stores.laterGenerations,
      this.#stores.windows,
      envelope,
      message,
    );
  }

  async moveDueJobs(): Promise<Stoppable> {
    this.#requireOpen();
    await this.#stores.streams.ensure();
    return this.#open.keep(
      await DueMover.start({
        server: this.#server,
        publisher: this.#stores.settlePublisher,
        ownWords: this.#stores.ownWords,
        earlier: this.#stores.earlierCopies,
        remakeStreams: () => this.#stores.streams.remake(),
        onProblem: this.#report,
      }),
    );
  }

  onRecordSince(job: JobRef): Promise<number | undefined> {
    return this.#stores.idRecords.since(job);
  }

  findWaiting(id: string, options: FindOptions = {}): Promise<WaitingJob | undefined> {
    return findWaiting(this.#server, this.blocked, id, options);
  }

  listWaiting(queue: string, query?: WaitingQuery): Promise<readonly WaitingJob[]> {
    return listWaiting(this.#server, queue, query);
  }

  whoRuns(...asked: Parameters<Broker["whoRuns"]>): Promise<RunningJob | undefined> {
    return whoRuns(this.#server, ...asked);
  }

  async answerWhoRuns(answer: Parameters<Broker["answerWhoRuns"]>[0]): Promise<Stoppable> {
    return this.#open.keep(await answerWhoRuns(this.#server, answer));
  }

  listRunning(options: Parameters<Broker["listRunning"]>[0]): Promise<readonly RunningJob[]> {
    return listRunning(this.#server.nc, this.#server.names.running, options);
  }

  async answerListRunning(...how: Parameters<Broker["answerListRunning"]>): Promise<Stoppable> {
    return this.#open.keep(await answerListRunning(this.#server, ...how));
  }

  get status(): BrokerStatus {
    return this.#line.status;
  }

  get refusal(): MillraceError | undefined {
    return this.#line.refusal;
  }

  onStatus(listener: (status: BrokerStatus) => void): () => void {
    return this.#line.onStatus(listener);
  }

  async serverNow(): Promise<number> {
    this.#requireOpen();
    await this.#stores.streams.ensure();
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
      await Promise.all([this.#stores.records.close(), this.#stores.queueBatches.close()]);
      await Promise.all([
        this.#stores.enqueuer.close(),
        this.#stores.idRecords.close(),
        this.#stores.settlePublisher.close(),
        this.#stores.provingPublisher.close(),
        this.#stores.documents.close(),
        this.journal.close(),
        this.jobLogs.close(),
        this.#stores.closeHurried(),
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
    await this.#stores.leases.close();
    await closeForGood(nc);
    this.#line.close();
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw brokerClosed();
  }

  readonly #report = (error: unknown, doing: string): void => {
    this.#parts.config.logger.warn({ error: recordError(error) }, `could not ${doing}`);
  };
}
