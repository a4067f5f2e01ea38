import {
  type AwaitedNodes,
  type EnqueueResult,
  type Envelope,
  type FindOptions,
  isKeyed,
  isLookedFor,
  type JobRef,
  type MeantRun,
  type QueueMessage,
  requirePlace,
  requireQueueName,
  type RunningJob,
  type Stoppable,
  type Successors,
  type WaitingJob,
  type WaitingQuery,
} from "@millrace/core";
import type { Connection } from "./connection.ts";
import { messageOfBlocked } from "./stores/memory-blocked.ts";
import { buriedIdOf } from "./stores/memory-dead-letters.ts";
import { messageOfDelayed } from "./stores/memory-delayed.ts";
import { withinBytes } from "./stores/within-bytes.ts";
import type { MemoryServer, RunningList } from "./memory-server.ts";
import { anyWaitingJob, waitingJob } from "./publication.ts";

/** Where jobs are: what waits, what follows a message, what runs. */
export class MemoryLookup {
  readonly #server: MemoryServer;
  readonly #connection: Connection;

  constructor(server: MemoryServer, connection: Connection) {
    this.#server = server;
    this.#connection = connection;
  }

  async successors(envelope: Envelope, message: QueueMessage): Promise<Successors> {
    this.#connection.reach();
    const { id, queue } = envelope;
    const delayed = this.#server.delayed.of(id, queue).map((found) => found.envelope);
    const blocked = this.#server.blocked
      .entries(queue)
      .flatMap(([, job]) => waitingJob(messageOfBlocked(job), id, "blocked")?.envelope ?? []);
    const queued = this.#server
      .queue(queue)
      .stored.filter(({ origin }) => origin === "runtime")
      .flatMap((stored) => waitingJob(stored, id, "queued")?.envelope ?? []);
    return {
      waiting: [delayed, blocked, queued]
        .flat()
        .filter((job) => job.generation > envelope.generation),
      ...this.#server.deadLetters.beside({ id, queue }, buriedIdOf(message)),
      memory: this.#server.memoryOf(queue),
    };
  }

  async findWaiting(id: string, options: FindOptions = {}): Promise<WaitingJob | undefined> {
    this.#connection.reach();
    const { queue, place } = options;
    requirePlace({ ...options, id });
    options.signal?.throwIfAborted();
    for (const delayed of this.#server.delayed.list(queue)) {
      const found = waitingJob(messageOfDelayed(delayed), id, "delayed");
      if (found !== undefined && isLookedFor(found, options)) return found;
    }
    for (const [, blocked] of this.#server.blocked.entries(queue)) {
      const found = waitingJob(messageOfBlocked(blocked), id, "blocked");
      if (found !== undefined && isLookedFor(found, options))
        return { ...found, gate: blocked.gate };
    }
    for (const candidate of this.#server.queues.values()) {
      if (queue !== undefined && candidate.name !== queue) continue;
      for (const message of candidate.stored) {
        if (place !== undefined && message.sequence !== place) continue;
        const found = waitingJob(message, id, "queued");
        if (found !== undefined && isLookedFor(found, options)) return found;
      }
    }
    return undefined;
  }

  /** What a job is told that is not sent, because its id is a key that is on record. */
  known(job: Envelope, keys: ReadonlySet<string> | undefined): EnqueueResult | undefined {
    const { id, queue } = job;
    if (!isKeyed(job, keys) || this.#connection.status !== "connected") return undefined;
    const onRecordSince = this.onRecordSince(job);
    return onRecordSince === undefined
      ? undefined
      : { ok: true, id, queue, sequence: 0, duplicate: true, onRecordSince };
  }

  /**
   * Whether a job waits in the queue that was enqueued by this key, or the id is on record: now it
   * is.
   */
  onRecordSince(job: JobRef): number | undefined {
    const { queue, id } = job;
    const { queues, history, deadLetters, delayed } = this.#server;
    const waits = queues.get(queue)?.stored.some(({ key }) => key === id);
    const is =
      waits === true ||
      history.last(job, "ended") !== undefined ||
      history.last(job, "requeued") !== undefined ||
      deadLetters.list({ queue, id, limit: 1 }).length > 0 ||
      delayed.of(id, queue).length > 0;
    return is ? this.#server.clock.now() : undefined;
  }

  async listWaiting(
    queue: string,
    { limit = 100, after = 0, bytes }: WaitingQuery = {},
  ): Promise<readonly WaitingJob[]> {
    this.#connection.reach();
    const held = this.#server.queue(requireQueueName(queue));
    const stored = held.stored.filter(({ sequence }) => sequence > after);
    const queued = stored.map((message) => ({
      message,
      job: {
        ...anyWaitingJob(message, "queued"),
        position: message.sequence,
        ...(held.isHandedOut(message.sequence) ? { isHandedOut: true as const } : {}),
      },
    }));
    const delayed = this.#server.delayed
      .list(queue)
      .slice(0, Math.max(0, limit - queued.length))
      .sort((a, b) => a.notBefore - b.notBefore)
      .map(messageOfDelayed)
      .map((message) => ({ message, job: anyWaitingJob(message, "delayed") }));
    const part = [...queued, ...delayed].slice(0, limit);
    return withinBytes(part, bytes, ({ message }) => message.body).map(({ job }) => job);
  }

  async whoRuns(id: string, meant: MeantRun): Promise<RunningJob | undefined> {
    this.#connection.reach();
    for (const answer of this.#server.runners) {
      const running = answer(id, meant);
      if (running !== undefined) return running;
    }
    return undefined;
  }

  async answerWhoRuns(
    answer: (id: string, meant: MeantRun) => RunningJob | undefined,
  ): Promise<Stoppable> {
    this.#connection.reach();
    const answerIfConnected: typeof answer = (id, meant) =>
      this.#connection.isConnected ? answer(id, meant) : undefined;
    this.#server.runners.add(answerIfConnected);
    return this.#connection.attach(() => void this.#server.runners.delete(answerIfConnected));
  }

  async listRunning({
    queue,
    awaited,
  }: {
    readonly queue?: string;
    readonly awaited?: AwaitedNodes;
  }): Promise<readonly RunningJob[]> {
    this.#connection.reach();
    const answers = [...this.#server.runningLists].flatMap((list) => list() ?? []);
    const heard = new Set(answers.map(({ node }) => node));
    const silent = awaited?.names.filter((name) => !heard.has(name)) ?? [];
    if (silent.length > 0) awaited?.onSilent(silent);
    return answers
      .flatMap(({ jobs }) => jobs)
      .filter((job) => queue === undefined || job.queue === queue)
      .sort((a, b) => a.startedAt - b.startedAt);
  }

  async answerListRunning(answer: () => readonly RunningJob[], node: string): Promise<Stoppable> {
    this.#connection.reach();
    const answerIfConnected: RunningList = () =>
      this.#connection.isConnected ? { node, jobs: answer() } : undefined;
    this.#server.runningLists.add(answerIfConnected);
    return this.#connection.attach(() => void this.#server.runningLists.delete(answerIfConnected));
  }
}
