import {
  type Envelope,
  type FirstMessage,
  type HistoryRecord,
  type HistoryStore,
  type IdMemory,
  isSameEnqueue,
  type JobRef,
} from "@millrace/core";
import { randomUUID } from "node:crypto";
import { request } from "../jetstream-errors.ts";
import { runtimeEnvelope } from "../messages/runtime-envelope.ts";
import { messageAt } from "../reads/next-message.ts";
import type { ServerAccess } from "../store/server-access.ts";
import type { MillraceError } from "../errors.ts";
import type { EditableMessage } from "./batch.ts";
import type { ConfirmedPublisher } from "./confirmed-publisher.ts";
import type { PubAck } from "./pub-ack.ts";

/** What the runtime publishes into a queue. */
export interface OwnWord {
  readonly publication: EditableMessage;
  readonly job: JobRef & Pick<Envelope, "generation" | "sentFrom">;
  readonly revoked?: (() => MillraceError | undefined) | undefined;
}

/**
 * So many ids may have been taken in advance, each of them by a job in the queue; then one is taken
 * that nobody can guess.
 */
const MOST_TAKEN = 20;
/** Nearly all are never asked for again. */
const MOST_RENAMED = 1_000;

/**
 * Whether a duplicate is what the runtime published before. The ids under which it does are known,
 * and a producer of the queue may choose its own: what lies under the id may be anything. Only
 * duplicates are looked at.
 */
export class OwnWords {
  readonly #server: ServerAccess;
  readonly #publisher: ConfirmedPublisher;
  readonly #history: Pick<HistoryStore, "read">;
  readonly #memoryOf: (queue: string) => Promise<IdMemory>;
  /**
   * The ids under which those went out last whose first id was another's, oldest first. By what
   * tells such a job from others, because who publishes it once more has often read it anew.
   */
  readonly #renamed = new Map<string, string>();

  constructor(
    server: ServerAccess,
    publisher: ConfirmedPublisher,
    history: Pick<HistoryStore, "read">,
    memoryOf: (queue: string) => Promise<IdMemory>,
  ) {
    this.#server = server;
    this.#publisher = publisher;
    this.#history = history;
    this.#memoryOf = memoryOf;
  }

  /**
   * Whether an acknowledgement says no more than that its id was seen: of other streams it says
   * all, because no producer reaches them.
   */
  mayBeAnothers({ duplicate, stream }: PubAck): boolean {
    return duplicate && stream.startsWith(this.#server.names.queueStreamPrefix);
  }

  /**
   * A job that is published once more goes out under the id that it had the last time. It may be
   * stored under that one, and a server that was killed since may have forgotten the first one.
   *
   * @param publication under its first id
   */
  asBefore(publication: EditableMessage, queue: string): EditableMessage {
    if (this.#renamed.size === 0) return publication;
    const id = this.#renamed.get(keyOf(publication, queue));
    return id === undefined ? publication : withId(publication, id);
  }

  /** @returns what the server says, of whatever lies under its id: see `insist` */
  publishFirst(
    publication: EditableMessage,
    queue: string,
    revoked?: OwnWord["revoked"],
  ): Promise<PubAck> {
    const { subject, data, headers } = this.asBefore(publication, queue);
    return this.#publisher.publish(subject, data, headers, revoked);
  }

  /** Publishes until the queue has it, or had it. @returns the acknowledgement of what is there */
  async publish(word: OwnWord): Promise<PubAck> {
    const ack = await this.publishFirst(word.publication, word.job.queue, word.revoked);
    return this.mayBeAnothers(ack) ? this.insist(word, ack) : ack;
  }

  /**
   * The same where it was published already, and the server called it a duplicate. If it is not, it
   * goes out under an id that names what lies under the first, so that a repetition uses the same
   * ids.
   *
   * @param word under its first id
   */
  async insist(word: OwnWord, told: PubAck): Promise<PubAck> {
    const { job, publication, revoked } = word;
    const first = publication.headers["Nats-Msg-Id"] ?? "";
    let ack = told;
    for (let taken = 1; this.mayBeAnothers(ack) && !(await this.#isOurs(ack, word)); taken += 1) {
      const id = `${first}/${taken > MOST_TAKEN ? randomUUID() : ack.sequence}`;
      this.#rename(keyOf(publication, job.queue), id);
      const { subject, data, headers } = withId(publication, id);
      ack = await this.#publisher.publish(subject, data, headers, revoked);
    }
    return ack;
  }

  #rename(key: string, id: string): void {
    this.#renamed.delete(key);
    this.#renamed.set(key, id);
    if (this.#renamed.size <= MOST_RENAMED) return;
    for (const oldest of this.#renamed.keys()) return void this.#renamed.delete(oldest);
  }

  async #isOurs(ack: PubAck, { job, publication }: OwnWord): Promise<boolean> {
    const { jsm, names } = this.#server;
    const stored = await request(`look at what is taken for the job ${job.id}`, () =>
      messageAt(jsm, ack.stream, ack.sequence),
    );
    const mine = firstIn(job.queue, publication.data);
    // Settled, and so on record: records are written before acks.
    if (stored === undefined) {
      const records = (await this.#history.read(job)).filter((record) => isOf(record, job, ack));
      const same = records.map((record) => this.#isOfOneEnqueue(job.queue, mine, record));
      return (await Promise.all(same)).includes(true);
    }
    const place = names.readQueueSubject(stored.subject, {});
    if (place === undefined || place.origin === "producer") return false;
    const theirs = firstIn(job.queue, stored.data);
    // A producer names the job that is to follow its own, and it comes in on this door.
    if (theirs.sentFrom !== mine.sentFrom) return false;
    return this.#isOfOneEnqueue(job.queue, mine, theirs);
  }

  /** An id may be another job's once its queue has forgotten it. */
  async #isOfOneEnqueue(queue: string, one: FirstMessage, other: FirstMessage): Promise<boolean> {
    if (one.firstStoredAt === other.firstStoredAt && one.unkeyed === other.unkeyed) return true;
    return isSameEnqueue(one, other, await this.#memoryOf(queue)) !== false;
  }
}

function withId(publication: EditableMessage, id: string): EditableMessage {
  return { ...publication, headers: { ...publication.headers, "Nats-Msg-Id": id } };
}

/** Another job of this id has been stored for the first time at another moment. */
function keyOf({ headers, data }: EditableMessage, queue: string): string {
  const { firstStoredAt, unkeyed, sentFrom } = firstIn(queue, data);
  return JSON.stringify([queue, headers["Nats-Msg-Id"], firstStoredAt, unkeyed, sentFrom]);
}

/** What a message of the runtime's says of the first one of its job. */
function firstIn(queue: string, body: Uint8Array): FirstMessage & Pick<Envelope, "sentFrom"> {
  return runtimeEnvelope({ queue, body, headers: {} }) ?? {};
}

function isOf(
  record: HistoryRecord,
  { generation, sentFrom }: OwnWord["job"],
  { sequence }: PubAck,
): boolean {
  if (record.sequence !== sequence || record.generation !== generation) return false;
  // Producers' jobs are of the first generation, all of them.
  if (generation > 0 || record.leadership !== undefined) return true;
  return record.door === "runtime" && record.sentFrom === sentFrom;
}
