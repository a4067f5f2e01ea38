import type { EnqueueCall, EnqueueResult } from "./enqueue-call.ts";
import type { MillraceError } from "../errors/millrace-error.ts";
import type { ArrivalStore } from "./stores/arrival-store.ts";
import type { Envelope, JobRef } from "../envelope/envelope.ts";
import type { QueueMessage } from "../envelope/message.ts";
import type { BatchStore } from "./stores/batch-store.ts";
import type { BlockedStore } from "./stores/blocked-store.ts";
import type { DeadLetterStore } from "./stores/dead-letter-store.ts";
import type { DelayedStore } from "./stores/delayed-store.ts";
import type { DocumentOptions, DocumentStore } from "./stores/document-store.ts";
import type { HistoryStore } from "./stores/history-store.ts";
import type { InboxStore } from "./stores/inbox-store.ts";
import type { JobLogStore } from "./stores/job-log-store.ts";
import type { JournalStore } from "./stores/journal-store.ts";
import type { LockStore } from "./stores/lock-store.ts";
import type { MarkStore } from "./stores/mark-store.ts";
import type { MessagePublisher } from "./message-publisher.ts";
import type { ProgressStore } from "./stores/progress-store.ts";
import type { AwaitedNodes, MeantRun, RunningJob } from "./running-job.ts";
import type { SignalStore } from "./stores/signal-store.ts";
import type { Stoppable } from "./stoppable.ts";
import type { Successors } from "./successors.ts";
import type { Delivery, Lease, WorkOptions, WorkSubscription } from "./work.ts";
import type { SettlementStep } from "../settlement/settlement.ts";

export interface ServerEndpoint {
  readonly address: string;
  readonly port: number;
}

/** Where a job is looked for. */
export interface FindOptions {
  /** Default: all queues. */
  readonly queue?: string;
  /**
   * Jobs in queues count only if they were stored before this, epoch milliseconds of the broker's
   * clock. A queue knows the ids of later ones by itself, so it need not be searched for them.
   */
  readonly storedBefore?: number;
  /**
   * Only the message at this place of the queue counts, which is one read: an enqueue names it for
   * a duplicate. The queue has to be named.
   */
  readonly place?: number;
  /**
   * Delayed and blocked jobs count only if they were enqueued before this, epoch milliseconds of
   * the broker's clock: another job of the id may have come later.
   */
  readonly enqueuedBefore?: number;
  /**
   * Only a job that waits for its time: nothing is looked through for it. Default: wherever it
   * waits.
   */
  readonly only?: "delayed";
  /** Only a job for which it holds: another of its id may lie before it. Default: any. */
  readonly where?: (job: WaitingJob) => boolean;
  /** Gives the look up, between two reads of a long queue: it rejects then. */
  readonly signal?: AbortSignal;
}

/**
 * Carries jobs between producers and nodes. Brokers store and move; they never count and never
 * decide. `brokerConformance` of `@millrace/testkit` is the suite every implementation passes.
 */
export interface Broker {
  /** A name for logs: `nats 2.15.2`, `memory`. */
  readonly description: string;
  /** The largest message a producer may send, bytes, headers included. */
  readonly maxMessageBytes: number;
  /**
   * The most values in a job's body, keys of maps among them; what a job with more would take in
   * memory, its bytes don't show.
   */
  readonly maxValues: number;
  /** How far ahead a producer may put a job's start, milliseconds. */
  readonly maxDelayMs: number;
  /** Of the server that it is connected to now; absent where there is none. */
  readonly endpoint?: ServerEndpoint | undefined;

  /**
   * Publishes jobs to their queues. Every job is confirmed or has its own error, in the order
   * given. Publishing again with the same id within the dedupe window stores nothing and says
   * `duplicate`.
   */
  enqueue(jobs: readonly Envelope[], call?: EnqueueCall): Promise<readonly EnqueueResult[]>;

  readonly queues: QueueStore;
  readonly deadLetters: DeadLetterStore;
  readonly delayed: DelayedStore;
  readonly history: HistoryStore;
  readonly locks: LockStore;
  readonly progress: ProgressStore;
  /** Jobs that wait at gates: for a permit, a lock, a rate. */
  readonly blocked: BlockedStore;
  readonly batches: BatchStore;
  /** Of jobs with steps. */
  readonly journal: JournalStore;
  /** For jobs with steps. */
  readonly signals: SignalStore;
  /** Of durable machines. */
  readonly inbox: InboxStore;
  /** What handlers logged, where nodes keep it. */
  readonly jobLogs: JobLogStore;
  /** What comes into queues, for who keeps an account of jobs. */
  readonly arrivals: ArrivalStore;
  /** Absent where the server can't store several messages as one. */
  readonly marks?: MarkStore | undefined;
  /** Absent where the broker carries jobs and nothing else. */
  readonly messages?: MessagePublisher | undefined;
  /**
   * Small JSON-like documents: settings, schedules, nodes. One store a bucket; created at first
   * use.
   *
   * @param options.look it is created by the first write only
   * @param options.maxAgeMs with which a bucket is created: what was written longer ago is gone by
   *   itself
   */
  documents(bucket: string, options?: DocumentOptions): Promise<DocumentStore>;

  /**
   * Delivers a queue's jobs, never more than there are free slots. Within a lane they come in the
   * order in which they were enqueued; lanes with jobs waiting share the slots by weight.
   *
   * @throws MillraceError `queue-not-found`, `invalid-option`
   */
  work(queue: string, options: WorkOptions): Promise<WorkSubscription>;

  /**
   * Carries out the steps in their order, each confirmed before the next begins, and the ack last.
   * With no steps the delivery is abandoned: its lease is extended no longer, and when it has run
   * out the message comes to another holder.
   *
   * @throws MillraceError `publish-timeout`, `queue-full`, `payload-too-large` …: nothing after the
   *   failed step was done. `already-ended`: the record is an end with `firstStoredAt`, and another
   *   run has recorded another end of the same enqueue and life. The very same record is taken
   *   again, and stored once
   */
  settle(delivery: Delivery, steps: readonly SettlementStep[]): Promise<void>;

  /**
   * Publishes an envelope where only the runtime may, under its generation's message id, confirmed.
   * For an operator's retry of a dead letter; settlement requeues through `settle`.
   *
   * @param options.lease of the delivery in whose settlement this is published: once it is lost,
   *   nothing is sent any more
   * @returns whether something was published under the id before, where the broker says it
   * @throws MillraceError as `settle`; `lease-lost`
   */
  requeue(
    envelope: Envelope,
    options?: { readonly lease?: Lease },
  ): Promise<{ readonly duplicate: boolean } | undefined>;

  /**
   * Starts forwarding delayed jobs to their queues when they are due. Keeps no state: every node
   * runs one.
   */
  moveDueJobs(): Promise<Stoppable>;

  /**
   * Whether an id is the key of a job that is on record: what an enqueue with `keys` asks before it
   * sends.
   *
   * @returns when something of the job was stored, epoch milliseconds of the broker's clock: a job
   *   of the id that was first stored later is another
   * @throws MillraceError `publish-timeout` where the server does not say
   */
  onRecordSince(job: JobRef): Promise<number | undefined>;
  /**
   * A job that waits, in a queue, at a gate or for its time. Slow on a long queue; for looking, not
   * for working.
   */
  findWaiting(id: string, options?: FindOptions): Promise<WaitingJob | undefined>;
  /**
   * What there is of a job beside this message of it, which came to a node again: what its holder
   * may have published before it died. Jobs that are blocked at gates are left out: a gate
   * blocks again what comes again, and knows it by its id.
   *
   * A few reads, and a look at the retries that lie in the queue; for rare questions.
   */
  successors(envelope: Envelope, message: QueueMessage): Promise<Successors>;
  /**
   * The first jobs of a queue: those in the queue itself in the order in which they were stored,
   * then those that wait for their time, in the order of `delayed.list`. A job that a node runs
   * stays in its queue until it is settled, so it is among them (`isHandedOut`). What
   * can't be read as a job is there too, under the id it would be buried by and without a name.
   *
   * @throws MillraceError `queue-not-found`
   */
  listWaiting(queue: string, query?: WaitingQuery): Promise<readonly WaitingJob[]>;

  /**
   * Who runs this job now, asked of the nodes themselves. Jobs of several queues may have one id,
   * and the first answer counts: only the holder of a job that is meant answers.
   */
  whoRuns(
    id: string,
    options: MeantRun & { readonly timeoutMs: number },
  ): Promise<RunningJob | undefined>;
  /** Answers `whoRuns` for one node; `isMeantRun` says whether a job of the id is meant. */
  answerWhoRuns(
    answer: (id: string, meant: MeantRun) => RunningJob | undefined,
  ): Promise<Stoppable>;
  /**
   * All jobs that run now, the longest running first, asked of the nodes themselves. Takes the
   * whole of the time where a node is there, because nobody knows how many are to answer; one that
   * is too slow is left out.
   *
   * @param options.awaited those of whom it is known are waited for longer, where they need it
   */
  listRunning(options: {
    readonly timeoutMs: number;
    readonly queue?: string;
    readonly awaited?: AwaitedNodes;
  }): Promise<readonly RunningJob[]>;
  /** Answers `listRunning` for one node, also where nothing runs there. */
  answerListRunning(answer: () => readonly RunningJob[], node: string): Promise<Stoppable>;

  /**
   * Whether one process keeps all data, whose end this connection can't miss. Not so in a cluster,
   * where a member may die behind another's back.
   */
  readonly solitary: boolean;
  readonly status: BrokerStatus;
  /** Why a server that was reached does not let it in again: `auth-failed`. */
  readonly refusal?: MillraceError | undefined;
  onStatus(listener: (status: BrokerStatus) => void): () => void;
  /**
   * The server's clock, epoch milliseconds, in which nodes reckon what they reckon together,
   * wherever their own clocks stand. A round trip.
   */
  serverNow(): Promise<number>;
  /** A round trip to the server, milliseconds. */
  ping(): Promise<number>;
  /** Ends the connection. What is under way is flushed first. Idempotent. */
  close(options?: CloseOptions): Promise<void>;
}

export interface CloseOptions {
  /**
   * Most that what is under way is waited for, milliseconds: a server that is between two leaders
   * confirms nothing. Default, and the most in any case: what the broker thinks right.
   */
  readonly withinMs?: number;
}

/** How the connection to the server is. `closed` is for good; `disconnected` mends itself. */
export type BrokerStatus = "connected" | "disconnected" | "closed";

/** How a queue is stored. What is left out stays as it is. */
export interface QueueSettings {
  /** Jobs the queue takes before it refuses publishers, from 1; null takes the limit away. */
  readonly maxJobs?: number | null;
  /** The same in bytes. */
  readonly maxBytes?: number | null;
  /** How long an id is remembered for deduplication, milliseconds. */
  readonly dedupeWindowMs?: number;
  readonly replicas?: number;
}

export type QueueIntake = "open" | "closed";

/** How much is in a queue, counted in jobs, and whether it takes more. */
export interface QueueSnapshot {
  readonly queue: string;
  /** Not yet handed to a worker. */
  readonly queued: number;
  /** Handed to a worker and not settled. */
  readonly running: number;
  readonly delayed: number;
  /** Waiting at a gate: for a permit, a lock or a rate. */
  readonly blocked: number;
  readonly dead: number;
  /** Whether producers are taken or refused. */
  readonly intake: QueueIntake;
  /**
   * Where some are running: how long ago a job was last handed to a worker, or settled by one.
   * Absent where that is not known.
   */
  readonly activeMs?: number;
  /** Age of the oldest unsettled job; 0 where there is none. */
  readonly oldestAgeMs: number;
  /** What it takes before it refuses producers; absent where there is no limit. */
  readonly maxJobs?: number;
  readonly maxBytes?: number;
}

export interface QueueStore {
  /**
   * Creates the queue, or brings its settings up to date; settings that are not given stay as they
   * are, and a closed queue stays closed. Idempotent, from any number of nodes at once.
   *
   * @throws MillraceError `invalid-name`, `invalid-option`
   */
  ensure(queue: string, settings?: QueueSettings): Promise<void>;
  /**
   * `closed`: producers are refused from now on, whatever client they use; what is in the queue
   * stays, and the runtime goes on moving jobs into it (retries, delayed jobs). Outlives restarts,
   * and `ensure` leaves it as it is. Idempotent.
   *
   * @throws MillraceError `queue-not-found`
   */
  setIntake(queue: string, intake: QueueIntake): Promise<void>;
  list(): Promise<readonly QueueSnapshot[]>;
  /**
   * What the queue was told, now: absent where it has no limit.
   *
   * @throws MillraceError `queue-not-found`
   */
  settings(queue: string): Promise<QueueSettings>;
  /**
   * Its counts are of one moment each, not of one over all: a job on its way from one place to
   * another may be missed or counted twice. A queue that has a job never looks empty, unless the
   * job is moved twice meanwhile.
   *
   * @throws MillraceError `queue-not-found`
   */
  snapshot(queue: string): Promise<QueueSnapshot>;
  /**
   * Removes the queue and what waits in it, is delayed or blocked. For tests and operators. Dead
   * letters and history stay. Jobs that run go on, also where the queue is made anew meanwhile: an
   * end is recorded, and a retry goes to the new queue. Without a new queue a retry has nowhere to
   * go, and becomes a dead letter (`unsettled`) after some leases. Idempotent.
   *
   * @throws MillraceError `invalid-name`
   */
  remove(queue: string): Promise<void>;
}

export interface WaitingQuery {
  /** Default 100. */
  readonly limit?: number;
  /** Of the queue itself only jobs after this position, for paging. */
  readonly after?: number;
  /** The list ends once its jobs hold so many bytes; it has one job at least. Default: never. */
  readonly bytes?: number;
}

export interface WaitingJob {
  readonly envelope: Envelope;
  readonly state: "queued" | "delayed" | "blocked";
  readonly storedAt: number;
  /** Of `listWaiting`: it was delivered to a node, which has not settled it. */
  readonly isHandedOut?: true;
  /** Of `listWaiting`: its place in the queue itself. */
  readonly position?: number;
  /** Of `findWaiting`: where it is blocked. */
  readonly gate?: string;
}
