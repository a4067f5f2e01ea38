import {
  type EnqueueResult,
  type Envelope,
  type Mark,
  type MarkStore,
  type MarkWrite,
  messageIdOf,
  MillraceError,
  requireId,
  requireJobName,
  requireQueueName,
} from "@millrace/core";
import { explainClosed } from "../enqueue-closed.ts";
import { requireNear } from "../enqueue.ts";
import type { ServerFeatures } from "../connection/server-features.ts";
import { ELECTIONS_MS, isClustered } from "../connection/retrying-requests.ts";
import { request } from "../jetstream-errors.ts";
import { machineOf } from "../machine/machine.ts";
import { quietSleep } from "../machine/timers.ts";
import type { OutgoingMessage } from "../publish/batch.ts";
import { lookUpStreamPatiently } from "../publish/stream-lookup.ts";
import { enqueueMessage, type ProducerLimits } from "../messages/envelope-message.ts";
import { lastMessage } from "../reads/next-message.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { queueNotFound } from "../store/queues.ts";
import { encodeHeaders } from "../wire/headers.ts";
import { type BatchOutcome, publishBatch } from "./atomic-batch.ts";
import { knownIds } from "./known-ids.ts";
import { ensureMarkDoor } from "./mark-door.ts";
import { EXPECTED_SEQUENCE } from "../wire/expected-sequence.ts";

type Documents = Parameters<typeof explainClosed>[3];
type Encoded = OutgoingMessage & { readonly headers: Uint8Array };

/** A job of a batch, as far as it has come. */
type Item =
  | { readonly kind: "message"; readonly job: Envelope; readonly message: Encoded }
  /** Stored before, in this batch or earlier. */
  | { readonly kind: "duplicate"; readonly job: Envelope }
  | { readonly kind: "refused"; readonly job: Envelope; readonly error: MillraceError };

/** Another producer may use an id of the batch between the question and the next try. */
const ROUNDS = 5;
/** An election takes some of these. */
const ELECTED_MS = 250;
/** Headers that each message of a batch has besides its own. */
const BATCH_ROOM = 96;

/**
 * Marks in a queue's own stream, on a subject that no consumer takes. Mark and jobs are one atomic
 * batch of the server; the mark comes first, with the sequence of the mark before it as its
 * condition. The last mark counts; those before it are removed soon after.
 */
export class NatsMarks implements MarkStore {
  readonly #server: ServerAccess;
  readonly #limits: ProducerLimits;
  readonly #documents: Documents;
  /** Queues whose streams were seen to take marks. */
  readonly #ready = new Set<string>();
  /** Subjects of marks whose older ones are being removed. */
  readonly #removing = new Set<string>();

  constructor(server: ServerAccess, limits: ProducerLimits, documents: Documents) {
    this.#server = server;
    this.#limits = limits;
    this.#documents = documents;
  }

  read(queue: string, name: string): Promise<Mark | undefined> {
    const { jsm, names } = this.#server;
    return request(`read a mark of the queue ${queue}`, async () => {
      const subject = names.mark(requireQueueName(queue), name);
      const stored = await lastMessage(jsm, names.queueStream(queue), subject);
      return stored === undefined ? undefined : { value: stored.string(), revision: stored.seq };
    });
  }

  refusal(job: Envelope): MillraceError | undefined {
    const [item] = this.#items([job]);
    return item?.kind === "refused" ? item.error : undefined;
  }

  async enqueue(jobs: readonly Envelope[], mark: MarkWrite): Promise<readonly EnqueueResult[]> {
    requireQueueName(mark.queue);
    let items = this.#items(jobs);
    for (let round = 1; round <= ROUNDS; round += 1) {
      const sent = items.filter((item) => item.kind === "message");
      if (!(await this.#hasDoor(mark))) return this.#unheard(jobs, mark.queue);
      const outcome = await this.#publish(mark.queue, [
        this.#markMessage(mark),
        ...sent.map(({ message }) => message),
      ]);
      if (outcome.kind === "unheard") return this.#unheard(jobs, mark.queue);
      if (outcome.kind === "stored") {
        // It is the first of the batch.
        const revision = outcome.lastSequence - sent.length;
        mark.onStored?.({ value: mark.value, revision });
        void this.#removeOlder(mark);
        return results(items, revision);
      }
      // The queue was made anew since its door was seen, or its stream takes less than it did.
      if (outcome.kind === "closed") {
        this.#ready.delete(mark.queue);
        const most = await this.#openDoor(mark.queue).catch((error: unknown) => {
          // The next round says so.
          if (MillraceError.is(error, "queue-not-found")) return Number.POSITIVE_INFINITY;
          throw error;
        });
        const messages = sent.map(({ message }) => message);
        const large = tooLarge(messages, most);
        // Before any mark covers it.
        if (large !== undefined) throw large;
      } else items = await this.#withoutKnown(items);
    }
    throw new MillraceError(
      "broker-unavailable",
      `The queue ${mark.queue} takes no jobs together with a mark at the moment: it is being made anew, or others use the same ids. Try again.`,
    );
  }

  /**
   * The same without a mark, and with all of the jobs or none. Where it is not known whether they
   * are stored it goes on: they are known by then, all of them.
   */
  async enqueueTogether(
    jobs: readonly Envelope[],
    { atomicBatch, version }: ServerFeatures,
    signal: AbortSignal | undefined,
  ): Promise<readonly EnqueueResult[]> {
    const queue = jobs[0]?.queue ?? "";
    const none = (error: MillraceError): readonly EnqueueResult[] =>
      jobs.map(({ id }) => ({ ok: false, id, queue, error }));
    if (!atomicBatch) return none(tooOld(version));
    let items = this.#items(jobs);
    const refused = items.find((item) => item.kind === "refused");
    if (refused !== undefined) return none(refused.error);
    let failure: MillraceError | undefined;
    for (let round = 1; round <= ROUNDS; round += 1) {
      if (signal?.aborted === true) return none(failure ?? toldToStop());
      try {
        const sent = items.flatMap((item) => (item.kind === "message" ? [item.message] : []));
        if (sent.length === 0) return results(items, 0);
        const outcome = await this.#publish(queue, sent, signal);
        if (outcome.kind === "stored") return results(items, outcome.lastSequence - sent.length);
        if (outcome.kind === "unheard")
          return failure === undefined ? await this.#unheard(jobs, queue) : none(failure);
        if (outcome.kind === "closed") {
          const large = tooLarge(sent, await this.#openDoor(queue));
          if (large !== undefined) return none(large);
        } else items = await this.#withoutKnown(items);
      } catch (error) {
        if (!MillraceError.is(error)) throw error;
        // What was sent before may be stored, whatever is said of it now.
        if (error.code !== "publish-timeout") return none(failure ?? error);
        failure = error;
        // A refusal to say is no answer: the same ids are asked for once more.
      }
    }
    return none(failure ?? busy(queue));
  }

  /**
   * Where the queue has a stream and nobody answers, its leader is being elected: nothing was
   * stored, and it is sent again until two elections may be over. So it is where this user may not
   * ask whether there is a stream.
   */
  async #publish(
    queue: string,
    messages: readonly Encoded[],
    signal?: AbortSignal,
  ): Promise<BatchOutcome> {
    const { nc, names } = this.#server;
    const { clock } = machineOf(nc);
    const deadline = clock.monotonic() + ELECTIONS_MS;
    for (let wasUnheard = false; ;) {
      const outcome = await publishBatch(nc, messages);
      // The leader may have come in the middle of it, and have heard the rest alone.
      const isCut = outcome.kind === "closed" && wasUnheard;
      wasUnheard = outcome.kind === "unheard";
      if (isCut) continue;
      if (!wasUnheard) return outcome;
      const patienceMs = Math.max(0, deadline - clock.monotonic());
      const subject = names.jobs(queue, undefined);
      const found = await lookUpStreamPatiently(nc, subject, { patienceMs });
      const isElection = found === "exists" || (found === "not-permitted" && isClustered(nc));
      const isOver = clock.monotonic() >= deadline || signal?.aborted === true;
      if (found === "exists" && isOver) throw withoutLeader(queue);
      if (!isElection || isOver) return outcome;
      await quietSleep(clock, ELECTED_MS);
    }
  }

  async #openDoor(queue: string): Promise<number> {
    try {
      return await ensureMarkDoor(this.#server, queue);
    } catch (error) {
      if (!MillraceError.is(error, "permission-denied")) throw error;
      throw new MillraceError(
        "permission-denied",
        `The queue ${queue} does not store jobs as one yet, and this NATS user may not change that. A program with the rights of a node opens it by its first enqueueMany with atomic.`,
        { cause: error },
      );
    }
  }

  #items(jobs: readonly Envelope[]): Item[] {
    const now = machineOf(this.#server.nc).clock.now();
    const seen = new Set<string>();
    return jobs.map((job): Item => {
      try {
        requireId(job.id);
        requireJobName(job.name);
        requireQueueName(job.queue);
        if (job.notBefore !== undefined) requireNear(job, this.#limits, now);
        const { subject, data, headers } = enqueueMessage(job, this.#server.names, this.#limits);
        const id = messageIdOf(job);
        if (seen.has(id)) return { kind: "duplicate", job };
        seen.add(id);
        const encoded = headers instanceof Uint8Array ? headers : encodeHeaders(headers ?? {});
        return { kind: "message", job, message: { subject, data, headers: encoded } };
      } catch (error) {
        if (!MillraceError.is(error)) throw error;
        return { kind: "refused", job, error };
      }
    });
  }

  #markMessage({ queue, name, value, after }: MarkWrite): Encoded {
    return {
      subject: this.#server.names.mark(queue, name),
      data: Buffer.from(value),
      headers: encodeHeaders({ [EXPECTED_SEQUENCE]: String(after) }),
    };
  }

  /** Never rejects: what is left is removed with the next. */
  async #removeOlder({ queue, name }: MarkWrite): Promise<void> {
    const { jsm, names } = this.#server;
    const filter = names.mark(queue, name);
    if (this.#removing.has(filter)) return;
    this.#removing.add(filter);
    try {
      await jsm.streams.purge(names.queueStream(queue), { filter, keep: 1 });
    } catch {
      // The connection is closing, or the queue is gone.
    } finally {
      this.#removing.delete(filter);
    }
  }

  /** False where there is no such queue. */
  async #hasDoor(mark: MarkWrite): Promise<boolean> {
    const { queue } = mark;
    if (this.#ready.has(queue)) return true;
    try {
      await ensureMarkDoor(this.#server, queue);
    } catch (error) {
      if (MillraceError.is(error, "queue-not-found")) return false;
      throw error;
    }
    this.#ready.add(queue);
    // An earlier relay may have died with several, and each takes a place of a job.
    await this.#removeOlder(mark);
    return true;
  }

  async #withoutKnown(items: readonly Item[]): Promise<Item[]> {
    const asked = items.flatMap((item) =>
      item.kind === "message" ? [{ subject: item.message.subject, id: messageIdOf(item.job) }] : [],
    );
    const known = await knownIds(this.#server.nc, asked);
    return items.map((item): Item =>
      item.kind === "message" && known.has(messageIdOf(item.job))
        ? { kind: "duplicate", job: item.job }
        : item,
    );
  }

  /** The queue is closed, gone, or was made anew without a door for marks. */
  #unheard(jobs: readonly Envelope[], queue: string): Promise<readonly EnqueueResult[]> {
    this.#ready.delete(queue);
    const { nc, names } = this.#server;
    const failed = jobs.map(({ id }) => ({ ok: false, id, queue, error: queueNotFound(queue) }));
    return explainClosed(Promise.resolve(failed as EnqueueResult[]), nc, names, this.#documents);
  }
}

/**
 * If a message of a batch is too large for the stream, the server only says that the batch is
 * incomplete, and not which message it is.
 */
function tooLarge(messages: readonly Encoded[], most: number): MillraceError | undefined {
  const sizes = messages.map(({ headers, data }) => headers.length + data.length + BATCH_ROOM);
  const largest = Math.max(0, ...sizes);
  if (largest <= most) return undefined;
  return new MillraceError(
    "payload-too-large",
    `A message of ${largest} bytes exceeds the queue's max_msg_size of ${most}. Send a reference to the data instead, or raise it.`,
  );
}

function tooOld(version: string): MillraceError {
  return new MillraceError(
    "server-too-old",
    `This NATS server reports version "${version}"; storing jobs as one needs 2.12.1 or newer. Upgrade nats-server, or enqueue without atomic.`,
  );
}

function toldToStop(): MillraceError {
  return new MillraceError(
    "publish-timeout",
    "Told to stop before the jobs were sent: none is stored.",
  );
}

function withoutLeader(queue: string): MillraceError {
  return new MillraceError(
    "broker-unavailable",
    `The queue ${queue} has no leader at the moment: none of the jobs is stored. Try again.`,
  );
}

function busy(queue: string): MillraceError {
  return new MillraceError(
    "broker-unavailable",
    `The queue ${queue} takes no jobs as one at the moment: it is being made anew, or others use the same ids. Try again.`,
  );
}

function results(items: readonly Item[], before: number): readonly EnqueueResult[] {
  let sequence = before;
  return items.map((item): EnqueueResult => {
    const { id, queue } = item.job;
    switch (item.kind) {
      case "refused":
        return { ok: false, id, queue, error: item.error };
      case "duplicate":
        return { ok: true, id, queue, sequence: 0, duplicate: true };
      case "message":
        return { ok: true, id, queue, sequence: (sequence += 1), duplicate: false };
    }
  });
}
