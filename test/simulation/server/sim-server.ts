import {
  type Broker,
  type Clock,
  type DeadLetter,
  type HistoryRecord,
  type IdMemory,
  MillraceError,
  type QueueMessage,
  type QueueSnapshot,
  type RunningJob,
} from "@millrace/core";
import { SimBatches } from "./sim-batches.ts";
import { DeadLetterShelf } from "../../../packages/testkit/src/memory/stores/memory-dead-letters.ts";
import { MemoryDelayed } from "../../../packages/testkit/src/memory/stores/memory-delayed.ts";
import { DocumentBucket } from "../../../packages/testkit/src/memory/stores/memory-documents.ts";
import { JobLogShelf } from "../../../packages/testkit/src/memory/stores/memory-job-logs.ts";
import { InboxShelf } from "../../../packages/testkit/src/memory/stores/memory-inbox.ts";
import { JournalShelf } from "../../../packages/testkit/src/memory/stores/memory-journal.ts";
import { HistoryTape } from "../../../packages/testkit/src/memory/stores/memory-history.ts";
import { SignalShelf } from "../../../packages/testkit/src/memory/stores/memory-signals.ts";
import { ProgressBoard } from "../../../packages/testkit/src/memory/stores/memory-progress.ts";
import { WORLD_BEGAN } from "../engine/process.ts";
import type { Timeline } from "../engine/timeline.ts";
import { DedupeWindow } from "./dedupe-window.ts";
import { SimBlocked } from "./sim-blocked.ts";
import { SimLocks } from "./sim-locks.ts";
import { SimQueue } from "./sim-queue.ts";

const HISTORY_LIMIT = 100_000;
const DEDUPE_MS = 120_000;

/**
 * `up`: answers. `electing`: hears everything and confirms nothing. `down`: every line to it is
 * cut.
 */
type State = "up" | "electing" | "down";

/** Told of what is stored, as it is stored: reads could hide it. */
export interface WriteTap {
  recorded(record: HistoryRecord): void;
  buried(letter: DeadLetter): void;
  withdrawn(letter: DeadLetter): void;
  /** It had been handed out, and as it was killed the server forgot that. */
  forgotten(message: QueueMessage): void;
  stored(message: QueueMessage): void;
}

export interface SimServerOptions {
  /** A queue that is made anew counts from 1 again, as streams do by themselves. */
  readonly countsAnew?: boolean;
}

/** What a node says it runs; undefined where it is cut off. */
export type RunningList = () =>
  { readonly node: string; readonly jobs: readonly RunningJob[] } | undefined;

/** One server with everything on its disk, and what a crash makes it forget. */
export class SimServer {
  readonly timeline: Timeline;
  readonly clock: Clock;
  readonly queues = new Map<string, SimQueue>();
  readonly delayed: MemoryDelayed;
  readonly blocked: SimBlocked;
  readonly batches = new SimBatches();
  readonly journal = new JournalShelf();
  readonly signals: SignalShelf;
  readonly inbox: InboxShelf;
  readonly jobLogs = new JobLogShelf();
  readonly deadLetters = new DeadLetterShelf();
  readonly history: HistoryTape;
  readonly locks: SimLocks;
  readonly progress = new ProgressBoard();
  readonly buckets = new Map<string, DocumentBucket>();
  readonly runners = new Set<Parameters<Broker["answerWhoRuns"]>[0]>();
  readonly runningLists = new Set<RunningList>();
  readonly #letterIds = new DedupeWindow(DEDUPE_MS);
  readonly #listeners = new Set<(state: State) => void>();
  #tap: WriteTap | undefined;
  readonly memory: IdMemory = { windowMs: DEDUPE_MS, since: 0 };
  #letters: { messageId: string; sequence: number; atMs: number }[] = [];
  #state: State = "up";
  readonly #options: SimServerOptions;
  /** Of queues that were removed: their last numbers. */
  readonly #removed = new Map<string, number>();

  constructor(timeline: Timeline, options: SimServerOptions = {}) {
    this.#options = options;
    this.timeline = timeline;
    this.clock = {
      now: () => Math.floor(WORLD_BEGAN + timeline.nowMs),
      monotonic: () => timeline.nowMs,
      setTimer: (delayMs, fire) => timeline.plan(delayMs, fire),
    };
    this.blocked = new SimBlocked(timeline);
    this.locks = new SimLocks(this.clock);
    this.signals = new SignalShelf(this.clock);
    this.inbox = new InboxShelf(this.clock);
    this.history = new HistoryTape(HISTORY_LIMIT, this.clock, () => this.memory);
    this.delayed = new MemoryDelayed(
      this.clock,
      (job) => void this.queue(job.queue).publish(job.publication),
    );
  }

  get state(): State {
    return this.#state;
  }

  onState(listener: (state: State) => void): void {
    this.#listeners.add(listener);
  }

  onWrite(tap: WriteTap): void {
    this.#tap = tap;
  }

  /** @throws MillraceError `already-ended` */
  record(record: HistoryRecord): void {
    if (this.history.add(record)) this.#tap?.recorded(record);
  }

  /** SIGKILL, and a start some time later. */
  crash(forgetMs: number, downMs: number): void {
    if (this.#state === "down") return;
    this.#become("down");
    for (const queue of this.queues.values())
      for (const message of queue.crash(forgetMs)) this.#tap?.forgotten(message);
    this.blocked.crash();
    this.#letterIds.rebuild(this.#letters, this.timeline.nowMs);
    this.timeline.plan(downMs, () => this.#become("up"));
  }

  /** For so long nobody leads: nothing is stored, confirmed or handed out. */
  elect(forMs: number): void {
    if (this.#state !== "up") return;
    this.#become("electing");
    this.timeline.plan(forMs, () => {
      if (this.#state === "electing") this.#become("up");
    });
  }

  bury(letter: DeadLetter, messageId: string): void {
    const { nowMs } = this.timeline;
    if (this.#letterIds.recall(messageId, nowMs) !== undefined) return;
    this.deadLetters.add(letter, messageId);
    this.#tap?.buried(letter);
    const sequence = this.#letters.length + 1;
    this.#letters.push({ messageId, sequence, atMs: nowMs });
    this.#letterIds.note(messageId, { sequence, atMs: nowMs });
  }

  withdraw(sequence: number): boolean {
    const letter = this.deadLetters.list({ after: sequence - 1, limit: 1 })[0];
    if (letter?.sequence === sequence) this.#tap?.withdrawn(letter);
    return this.deadLetters.remove(sequence);
  }

  /** @throws MillraceError `queue-not-found` */
  queue(name: string): SimQueue {
    const queue = this.queues.get(name);
    if (queue !== undefined) return queue;
    throw new MillraceError("queue-not-found", `The queue ${name} does not exist.`);
  }

  ensureQueue(name: string): SimQueue {
    const after = this.#options.countsAnew === true ? 0 : this.#removed.get(name);
    const queue =
      this.queues.get(name) ?? new SimQueue(name, this.timeline, () => this.clock.now(), after);
    queue.onStored = (message) => this.#tap?.stored(message);
    this.queues.set(name, queue);
    return queue;
  }

  removeQueue(name: string): void {
    const queue = this.queues.get(name);
    if (queue === undefined) return;
    this.#removed.set(name, queue.lastSequence);
    queue.end();
    this.queues.delete(name);
  }

  bucket(name: string): DocumentBucket {
    const bucket = this.buckets.get(name) ?? new DocumentBucket(this.clock);
    this.buckets.set(name, bucket);
    return bucket;
  }

  snapshot(name: string): QueueSnapshot {
    return {
      queue: name,
      intake: this.queue(name).intake,
      ...this.queue(name).counts,
      delayed: this.delayed.list(name).length,
      blocked: this.blocked.list(name).length,
      dead: this.deadLetters.count(name),
    };
  }

  #become(state: State): void {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}
