import {
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
  type DocumentStore,
  type EnqueueCall,
  type EncodeRules,
  type EnqueueResult,
  type Envelope,
  type FindOptions,
  type HistoryStore,
  type InboxStore,
  isKeyed,
  isLookedFor,
  type JobLogStore,
  type JobRef,
  type JournalStore,
  type Lease,
  type LockStore,
  messageIdOf,
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
  writeEnvelope,
} from "@millrace/core";
import { withId } from "../../../packages/testkit/src/memory/free-id.ts";
import { needsProgramDoor } from "../../../packages/core/src/flow/reach.ts";
import { buriedIdOf } from "../../../packages/testkit/src/memory/stores/memory-dead-letters.ts";
import { messageOfDelayed } from "../../../packages/testkit/src/memory/stores/memory-delayed.ts";
import {
  anyWaitingJob,
  keyedOf,
  publicationOf,
  FOLLOWING_RULES,
  requeueOf,
  waitingJob,
} from "../../../packages/testkit/src/memory/publication.ts";
import { withinBytes } from "../../../packages/testkit/src/memory/stores/within-bytes.ts";
import { messageOfBlocked } from "../server/sim-blocked.ts";
import type { Published } from "../server/sim-queue.ts";
import type { RunningList } from "../server/sim-server.ts";
import { BlockedClient } from "./blocked-client.ts";
import { DocumentClient } from "./document-client.ts";
import { HistoryClient } from "./history-client.ts";
import { onRecordSince, PUBLISH_MS, within } from "./id-records.ts";
import type { Line } from "./line.ts";
import { LockClient } from "./lock-client.ts";
import { SimDelivery, SimSubscription } from "./sim-work.ts";
import {
  arrivalClient,
  batchClient,
  jobLogClient,
  inboxClient,
  journalClient,
  deadLetterClient,
  delayedClient,
  progressClient,
  queueClient,
  signalClient,
} from "./small-clients.ts";

export interface SimBrokerOptions {
  /**
   * What a settlement publishes is sent again also when its lease is over: the fault that the
   * exchange once had.
   */
  readonly repeatsWithoutLease?: boolean;
  /**
   * What the runtime publishes goes by its id and generation alone, whichever job of that id it is
   * of: retries, and what follows.
   */
  readonly goesByIds?: boolean;
}

const MAX_MESSAGE_BYTES = 1_000_000;
const MOVER_LOOKS_MS = 1_000;

/**
 * A broker on a simulated server, at the level of the port. Each call is a message over the line,
 * with all that can become of it.
 */
export class SimBroker implements Broker {
  readonly description = "simulated";
  readonly solitary = true;
  readonly maxMessageBytes = MAX_MESSAGE_BYTES;
  readonly maxValues = DEFAULT_MAX_VALUES;
  readonly maxDelayMs = DEFAULT_MAX_DELAY_MS;
  readonly queues: QueueStore;
  readonly deadLetters: DeadLetterStore;
  readonly delayed: DelayedStore;
  readonly history: HistoryStore;
  readonly locks: LockStore;
  readonly progress: ProgressStore;
  readonly blocked: BlockedStore;
  readonly batches: BatchStore;
  readonly journal: JournalStore;
  readonly signals: SignalStore;
  readonly inbox: InboxStore;
  readonly jobLogs: JobLogStore;
  readonly arrivals = arrivalClient;
  readonly #line: Line;
  readonly #options: SimBrokerOptions;
  /** The message ids of what the runtime has published. */
  readonly #wentOutAs = new WeakMap<Envelope, string>();

  constructor(line: Line, options: SimBrokerOptions = {}) {
    this.#line = line;
    this.#options = options;
    const call: Line["call"] = (request) => line.call(request);
    this.queues = queueClient(line, call);
    this.deadLetters = deadLetterClient(line, call);
    this.delayed = delayedClient(line, MAX_MESSAGE_BYTES);
    this.history = new HistoryClient(line);
    this.locks = new LockClient(line);
    this.progress = progressClient(line);
    this.blocked = new BlockedClient(line);
    this.batches = batchClient(line, call);
    this.journal = journalClient(line, call);
    this.signals = signalClient(line, call);
    this.inbox = inboxClient(line, call);
    this.jobLogs = jobLogClient(line, call);
  }

  async documents(bucket: string): Promise<DocumentStore> {
    return new DocumentClient(this.#line, bucket);
  }

  enqueue(jobs: readonly Envelope[], call: EnqueueCall = {}): Promise<readonly EnqueueResult[]> {
    return Promise.all(jobs.map((job) => this.#enqueueOne(job, call)));
  }

  async work(queue: string, work: WorkOptions): Promise<WorkSubscription> {
    const { server } = this.#line;
    await this.#line.call({ point: `work ${queue}`, act: () => void server.queue(queue) });
    return new SimSubscription(this.#line, queue, () => server.queue(queue), work);
  }

  async settle(delivery: Delivery, steps: readonly SettlementStep[]): Promise<void> {
    if (!(delivery instanceof SimDelivery)) throw new TypeError("Another broker's delivery.");
    if (steps.length === 0) delivery.lease.end();
    for (const step of steps) {
      if (delivery.confirmed.includes(step)) continue;
      if (!delivery.lease.isHeld())
        throw new MillraceError("lease-lost", "The lease of this message is over.");
      if (step.do === "ack") {
        this.#ack(delivery);
        continue;
      }
      await this.#publish(
        stepPoint(step),
        this.#stepAct(delivery, step),
        this.#whileHeld(delivery.lease),
      );
      delivery.confirmed = [...delivery.confirmed, step];
    }
  }

  async requeue(
    envelope: Envelope,
    { lease }: { readonly lease?: Lease } = {},
  ): Promise<undefined> {
    await this.#publish(
      `requeue ${messageIdOf(envelope)}`,
      this.#requeueAct(envelope),
      this.#whileHeld(lease),
    );
  }

  async successors(envelope: Envelope, message: QueueMessage): Promise<Successors> {
    const { server } = this.#line;
    const { id, queue, generation } = envelope;
    // In the order of the real one's reads, each of which may see another moment.
    const delayed = await this.#line.call({
      point: `delayed ${id}`,
      act: () => server.delayed.of(id, queue).map((found) => found.envelope),
    });
    const queued = await this.#line.call({
      point: `queued ${id}`,
      act: () =>
        [
          ...server.blocked.list(queue).map(messageOfBlocked),
          ...server.queue(queue).messages.filter(({ origin }) => origin === "runtime"),
        ].flatMap((stored) => waitingJob(stored, id, "queued")?.envelope ?? []),
    });
    const letters = await this.#line.call({
      point: `letter ${id}`,
      act: () => server.deadLetters.beside({ id, queue }, buriedIdOf(message)),
    });
    const waiting = [...delayed, ...queued].filter((job) => job.generation > generation);
    return { waiting, ...letters, memory: server.memory };
  }

  async moveDueJobs(): Promise<Stoppable> {
    const { delayed } = this.#line.server;
    const mover = { isConnected: () => this.#line.isConnected && this.#line.process.isRunning };
    await this.#line.call({ point: "move due", act: () => delayed.join(mover) });
    let moving = true;
    // A mover looks by itself: one that was frozen when something was due has nobody to tell it of
    // that when it goes on.
    const look = (): void => {
      if (!moving) return;
      delayed.rearm();
      this.#line.process.clock.setTimer(MOVER_LOOKS_MS, look);
    };
    look();
    this.#line.onStatus(() => delayed.rearm());
    return this.#line.attach(() => {
      moving = false;
      delayed.leave(mover);
    });
  }

  onRecordSince(job: JobRef): Promise<number | undefined> {
    return onRecordSince(this.#line, job);
  }

  findWaiting(id: string, options: FindOptions = {}): Promise<WaitingJob | undefined> {
    options.signal?.throwIfAborted();
    return this.#line.call({
      point: `find ${id}`,
      act: () => this.#findWaiting(id, options),
    });
  }

  listWaiting(
    queue: string,
    { limit = 100, after = 0, bytes }: WaitingQuery = {},
  ): Promise<readonly WaitingJob[]> {
    const { server } = this.#line;
    return this.#line.call({
      point: `list ${queue}`,
      act: () => {
        const queued = server.queue(queue).messages.filter(({ sequence }) => sequence > after);
        const jobs = [
          ...queued.map((message) => ({
            message,
            job: { ...anyWaitingJob(message, "queued"), position: message.sequence },
          })),
          ...server.delayed
            .list(queue)
            .toSorted((a, b) => a.notBefore - b.notBefore)
            .map(messageOfDelayed)
            .map((message) => ({ message, job: anyWaitingJob(message, "delayed") })),
        ];
        const part = withinBytes(jobs.slice(0, limit), bytes, ({ message }) => message.body);
        return part.map(({ job }) => job);
      },
    });
  }

  whoRuns(id: string, meant: MeantRun): Promise<RunningJob | undefined> {
    const { runners } = this.#line.server;
    return this.#line.call({
      point: `who runs ${id}`,
      act: () => {
        for (const answer of runners) {
          const running = answer(id, meant);
          if (running !== undefined) return running;
        }
        return undefined;
      },
    });
  }

  async answerWhoRuns(
    answer: (id: string, meant: MeantRun) => RunningJob | undefined,
  ): Promise<Stoppable> {
    const { runners } = this.#line.server;
    const answerIfThere: typeof answer = (id, meant) =>
      this.#isThere ? answer(id, meant) : undefined;
    runners.add(answerIfThere);
    return this.#line.attach(() => void runners.delete(answerIfThere));
  }

  async listRunning({
    queue,
    awaited,
  }: Parameters<Broker["listRunning"]>[0]): Promise<readonly RunningJob[]> {
    const { runningLists } = this.#line.server;
    const answers = await this.#line.call({
      point: "list running",
      act: () => [...runningLists].flatMap((list) => list() ?? []),
    });
    const heard = new Set(answers.map(({ node }) => node));
    const silent = awaited?.names.filter((name) => !heard.has(name)) ?? [];
    if (silent.length > 0) awaited?.onSilent(silent);
    return answers
      .flatMap(({ jobs }) => jobs)
      .filter((job) => queue === undefined || job.queue === queue);
  }

  async answerListRunning(
    ...[answer, node]: Parameters<Broker["answerListRunning"]>
  ): Promise<Stoppable> {
    const { runningLists } = this.#line.server;
    const answerIfThere: RunningList = () => (this.#isThere ? { node, jobs: answer() } : undefined);
    runningLists.add(answerIfThere);
    return this.#line.attach(() => void runningLists.delete(answerIfThere));
  }

  get status(): BrokerStatus {
    return this.#line.status;
  }

  onStatus(listener: (status: BrokerStatus) => void): () => void {
    return this.#line.onStatus(listener);
  }

  serverNow(): Promise<number> {
    return this.#line.call({ point: "server now", act: () => this.#line.server.clock.now() });
  }

  async ping(): Promise<number> {
    const { clock } = this.#line.process;
    const before = clock.monotonic();
    await this.#line.call({ point: "ping", act: () => undefined });
    return clock.monotonic() - before;
  }

  async close(): Promise<void> {
    this.#line.close();
  }

  get #isThere(): boolean {
    return this.#line.isConnected && this.#line.process.isRunning;
  }

  async #enqueueOne(
    job: Envelope,
    { keys, own = false }: Pick<EnqueueCall, "keys" | "own">,
  ): Promise<EnqueueResult> {
    const { id, queue } = job;
    const limit = within(this.#line);
    try {
      const door = own || needsProgramDoor(job) ? "program" : "producer";
      const made = keyedOf(job, publicationOf(job, door, writeEnvelope(job)), keys);
      const publication: Published = own ? { ...made, own } : made;
      const { server } = this.#line;
      const since = isKeyed(job, keys) ? await onRecordSince(this.#line, job, limit) : undefined;
      if (since !== undefined)
        return { ok: true, id, queue, sequence: 0, duplicate: true, onRecordSince: since };
      const { sequence, duplicate } = await this.#line.call({
        point: `enqueue ${messageIdOf(job)}`,
        timeoutMs: limit(),
        code: "publish-timeout",
        act: () => server.queue(queue).publish(publication),
      });
      return { ok: true, id, queue, sequence, duplicate };
    } catch (error) {
      if (!MillraceError.is(error)) throw error;
      return { ok: false, id, queue, error: this.#refusal(error, queue) };
    }
  }

  #refusal(error: MillraceError, queue: string): MillraceError {
    if (error.code !== "queue-closed") return error;
    return queueClosed(queue, this.#line.server.bucket(CONTROLS_BUCKET).get(queue)?.value);
  }

  #whileHeld(lease: Lease | undefined): (() => boolean) | undefined {
    if (lease === undefined || this.#options.repeatsWithoutLease === true) return undefined;
    return () => lease.isHeld();
  }

  #publish(point: string, act: () => void, mayRepeat?: () => boolean): Promise<void> {
    return this.#line.call({
      point,
      act,
      timeoutMs: PUBLISH_MS,
      code: "publish-timeout",
      ...(mayRepeat === undefined ? {} : { mayRepeat }),
    });
  }

  #ack({ message: { queue, sequence }, lease }: SimDelivery): void {
    this.#line.send(`ack ${queue} ${sequence}`, () =>
      this.#line.server.queues.get(queue)?.ack(sequence),
    );
    lease.end();
  }

  #stepAct({ message }: SimDelivery, step: Exclude<SettlementStep, { do: "ack" }>): () => void {
    const { server } = this.#line;
    switch (step.do) {
      case "requeue":
        return this.#requeueAct(step.envelope);
      case "enqueue":
        return this.#requeueAct(step.envelope, FOLLOWING_RULES);
      case "block": {
        const { envelope, gate } = step;
        const publication = requeueOf(envelope, MAX_MESSAGE_BYTES);
        return () =>
          server.blocked.add({
            queue: envelope.queue,
            gate,
            storedAt: server.clock.now(),
            publication,
          });
      }
      case "bury": {
        const id = buriedIdOf(message, step);
        return () => server.bury(step.letter, id);
      }
      case "record":
        return () => server.record(step.record);
    }
  }

  /** Where it goes is decided when it is sent first, by the sender's clock, as on a server. */
  #requeueAct(envelope: Envelope, rules?: EncodeRules): () => void {
    const { server, process } = this.#line;
    const publication = this.#ownPublication(envelope, rules);
    const { notBefore, queue } = envelope;
    if (notBefore === undefined || notBefore <= process.clock.now())
      return () => {
        // As the real broker has it: once more, under the id that it went out with.
        const before = this.#wentOutAs.get(envelope);
        const { messageId } = server
          .queue(queue)
          .publish(before === undefined ? publication : withId(publication, before));
        if (messageId !== undefined) this.#wentOutAs.set(envelope, messageId);
      };
    return () =>
      server.delayed.add({ queue, notBefore, storedAt: server.clock.now(), publication });
  }

  #ownPublication(envelope: Envelope, rules?: EncodeRules): Published {
    const { followsAt, ...publication } = requeueOf(envelope, this.maxMessageBytes, rules);
    if (this.#options.goesByIds !== true)
      return followsAt === undefined ? publication : { ...publication, followsAt };
    return { ...publication, messageId: messageIdOf(envelope) };
  }

  #findWaiting(id: string, options: FindOptions): WaitingJob | undefined {
    const { server } = this.#line;
    const { queue, place } = options;
    const looked = function* (): Generator<WaitingJob | undefined> {
      for (const job of server.delayed.list(queue))
        yield waitingJob(messageOfDelayed(job), id, "delayed");
      for (const job of server.blocked.list(queue))
        yield waitingJob(messageOfBlocked(job), id, "blocked");
      for (const candidate of server.queues.values())
        if (queue === undefined || candidate.name === queue)
          for (const message of candidate.messages)
            if (place === undefined || message.sequence === place)
              yield waitingJob(message, id, "queued");
    };
    for (const found of looked())
      if (found !== undefined && isLookedFor(found, options)) return found;
    return undefined;
  }
}

function stepPoint(step: Exclude<SettlementStep, { do: "ack" }>): string {
  switch (step.do) {
    case "requeue":
    case "enqueue":
    case "block":
      return `${step.do} ${messageIdOf(step.envelope)}`;
    case "bury":
      return `bury ${step.letter.id}`;
    case "record":
      return `record ${step.record.id} ${step.record.generation} ${step.record.state}`;
  }
}
