import {
  type Broker,
  type Clock,
  type DocumentOptions,
  type IdMemory,
  limitsOfQueue,
  MillraceError,
  NO_MEMORY,
  type QueueMessage,
  type QueueSnapshot,
  type RunningJob,
} from "@millrace/core";
import { BatchShelf } from "./stores/memory-batches.ts";
import { BlockedRack } from "./stores/memory-blocked.ts";
import { DeadLetterShelf } from "./stores/memory-dead-letters.ts";
import { MemoryDelayed } from "./stores/memory-delayed.ts";
import { DocumentBucket } from "./stores/memory-documents.ts";
import { JobLogShelf } from "./stores/memory-job-logs.ts";
import { JournalShelf } from "./stores/memory-journal.ts";
import { HistoryTape } from "./stores/memory-history.ts";
import { InboxShelf } from "./stores/memory-inbox.ts";
import { LockTable } from "./stores/memory-locks.ts";
import { MessageShelf } from "./stores/memory-messages.ts";
import { ProgressBoard } from "./stores/memory-progress.ts";
import type { MemoryQueue } from "./memory-queue.ts";
import { SignalShelf } from "./stores/memory-signals.ts";

const HISTORY_LIMIT = 10_000;

/** What a node says it runs; undefined where it is cut off. */
export type RunningList = () =>
  { readonly node: string; readonly jobs: readonly RunningJob[] } | undefined;

/**
 * What several memory brokers share, as several nodes share one NATS server. Lives in one process
 * and forgets everything with it.
 *
 * @example
 * const server = new MemoryServer(clock);
 * const [a, b] = [new MemoryBroker({ clock, server }), new MemoryBroker({ clock, server })];
 */
export class MemoryServer {
  readonly clock: Clock;
  readonly queues = new Map<string, MemoryQueue>();
  /** Of queues that were removed. One that is made anew gives no number a second time. */
  readonly lastSequences = new Map<string, number>();
  readonly delayed: MemoryDelayed;
  readonly blocked = new BlockedRack();
  readonly batches = new BatchShelf();
  readonly journal = new JournalShelf();
  readonly signals: SignalShelf;
  readonly inbox: InboxShelf;
  readonly jobLogs = new JobLogShelf();
  readonly messages = new MessageShelf();
  readonly deadLetters = new DeadLetterShelf();
  readonly history: HistoryTape;
  readonly locks: LockTable;
  readonly progress = new ProgressBoard();
  readonly arrivalListeners = new Set<(message: QueueMessage) => void>();
  readonly buckets = new Map<string, DocumentBucket>();
  readonly runners = new Set<Parameters<Broker["answerWhoRuns"]>[0]>();
  readonly runningLists = new Set<RunningList>();

  constructor(clock: Clock) {
    this.clock = clock;
    this.history = new HistoryTape(HISTORY_LIMIT, clock, (queue) => this.memoryOf(queue));
    this.locks = new LockTable(clock);
    this.signals = new SignalShelf(clock);
    this.inbox = new InboxShelf(clock);
    this.delayed = new MemoryDelayed(
      clock,
      (job) => void this.queue(job.queue).publish(job.publication),
    );
  }

  /** What a queue remembers of ids. */
  memoryOf(name: string): IdMemory {
    const queue = this.queues.get(name);
    return queue === undefined
      ? NO_MEMORY
      : { windowMs: queue.dedupeWindowMs, since: queue.madeAt };
  }

  /** @throws MillraceError `queue-not-found` */
  queue(name: string): MemoryQueue {
    const queue = this.queues.get(name);
    if (queue !== undefined) return queue;
    throw new MillraceError(
      "queue-not-found",
      `The queue ${name} does not exist. Start a node that serves it, or create it, then try again.`,
    );
  }

  bucket(name: string, options?: DocumentOptions): DocumentBucket {
    const bucket = this.buckets.get(name) ?? new DocumentBucket(this.clock, options);
    this.buckets.set(name, bucket);
    return bucket;
  }

  /** @throws MillraceError `queue-not-found` */
  snapshot(name: string): QueueSnapshot {
    return {
      queue: name,
      intake: this.queue(name).intake,
      ...this.queue(name).counts,
      delayed: this.delayed.list(name).length,
      blocked: this.blocked.entries(name).length,
      dead: this.deadLetters.count(name),
      ...limitsOfQueue(this.queue(name).settings),
    };
  }

  removeQueue(name: string): void {
    const queue = this.queues.get(name);
    if (queue !== undefined) this.lastSequences.set(name, queue.lastSequence);
    queue?.close();
    this.queues.delete(name);
    this.delayed.removeAll(name);
    for (const [sequence] of this.blocked.entries(name)) this.blocked.take(sequence);
  }
}
