import type { Timer } from "@millrace/core";
import { type ConsumerSettings, refusals, type StreamSettings } from "./api-types.ts";
import { ModelConsumer } from "./consumer.ts";
import type { Surroundings } from "./surroundings.ts";
import { Dedupe } from "./dedupe.ts";
import type { Journal } from "./journal.ts";
import { fieldOf, type Packet } from "./packet.ts";
import { Schedules, withoutSchedule } from "./schedules.ts";
import { bytesOf, Messages, type Stored } from "./stored.ts";
import { takes } from "./subject.ts";

const NS_A_MS = 1e6;

export interface PurgeQuery {
  readonly filter?: string;
  readonly seq?: number;
  readonly keep?: number;
}

export interface StreamOwner extends Surroundings {
  readonly journal: Journal;
  /** Whether the disk takes anything. */
  isFull(): boolean;
}

/** One stream with its consumers. */
export class ModelStream {
  readonly messages: Messages;
  readonly consumers = new Map<string, ModelConsumer>();
  config: StreamSettings;
  readonly #owner: StreamOwner;
  readonly #ids = new Dedupe();
  readonly #schedules: Schedules;
  readonly #createdMs: number;
  #lastAtMs = 0;
  #aging: Timer | undefined;

  constructor(config: StreamSettings, owner: StreamOwner) {
    this.config = config;
    this.messages = new Messages(config.first_seq);
    this.#owner = owner;
    this.#createdMs = owner.clock.now();
    this.#schedules = new Schedules(owner.clock, owner.flavour.schedules, (schedule) =>
      this.#fire(schedule),
    );
  }

  takes(subject: string): boolean {
    return this.config.subjects.some((pattern) => takes(pattern, subject));
  }

  /** @throws Refusal */
  publish({ subject, headers, data }: Packet): {
    readonly seq: number;
    readonly duplicate: boolean;
  } {
    const { config } = this;
    if (config.max_msg_size >= 0 && (headers?.length ?? 0) + data.length > config.max_msg_size)
      throw refusals.tooLarge();
    const { expectsFirst } = this.#owner.flavour;
    if (expectsFirst) this.#requireExpected(subject, headers);
    const id = fieldOf(headers, "Nats-Msg-Id");
    const known = this.#known(id);
    if (known !== undefined) return { seq: known, duplicate: true };
    if (!expectsFirst) this.#requireExpected(subject, headers);
    const dueMs = this.#schedules.read(headers, this);
    if (this.#owner.isFull()) throw refusals.insufficient();
    this.#requireRoom({ subject, headers, data });
    const stored = this.#store({ subject, headers, data });
    if (id !== undefined) this.#ids.note(id, stored.seq, stored.atMs);
    if (dueMs !== undefined) this.#schedules.arm(stored, dueMs);
    return { seq: stored.seq, duplicate: false };
  }

  /**
   * All or none.
   *
   * @returns the last one's place
   * @throws Refusal
   */
  publishAll(packets: readonly Packet[]): number {
    const ids = new Set<string>();
    for (const { subject, headers } of packets) {
      const id = fieldOf(headers, "Nats-Msg-Id");
      if (id !== undefined) {
        if (ids.has(id) || this.#known(id) !== undefined) throw refusals.knownInBatch();
        ids.add(id);
      }
      this.#requireExpected(subject, headers);
    }
    if (this.#owner.isFull()) throw refusals.insufficient();
    this.#requireRoomFor(packets);
    let last = 0;
    for (const { subject, headers, data } of packets) {
      const stored = this.#store({ subject, headers, data });
      const id = fieldOf(headers, "Nats-Msg-Id");
      if (id !== undefined) this.#ids.note(id, stored.seq, stored.atMs);
      last = stored.seq;
    }
    return last;
  }

  #requireRoomFor(packets: readonly Packet[]): void {
    const { discard, max_msgs: most } = this.config;
    if (discard === "new" && most > 0 && this.messages.size + packets.length > most)
      throw refusals.storeFailed("maximum messages exceeded");
  }

  #known(id: string | undefined): number | undefined {
    return id === undefined
      ? undefined
      : this.#ids.recall(id, this.#owner.clock.now(), this.config.duplicate_window / NS_A_MS);
  }

  #requireExpected(subject: string, headers: Uint8Array | undefined): void {
    const before = fieldOf(headers, "Nats-Expected-Last-Sequence");
    const latest = this.messages.lastSeq;
    if (before !== undefined && Number(before) !== latest) throw refusals.wrongLast(latest);
    const expected = fieldOf(headers, "Nats-Expected-Last-Subject-Sequence");
    if (expected === undefined) return;
    const last = this.messages.lastOf(subject)?.seq ?? 0;
    if (Number(expected) !== last) throw refusals.wrongLast(last);
  }

  #requireRoom(message: Pick<Stored, "subject" | "headers" | "data">): void {
    const { discard, max_msgs: most, max_bytes: mostBytes } = this.config;
    if (discard !== "new") return;
    const replaced = this.#replacedBy(message.subject);
    if (replaced !== undefined && this.config.discard_new_per_subject === true)
      throw refusals.storeFailed("maximum messages per subject exceeded");
    if (most > 0 && this.messages.size - (replaced === undefined ? 0 : 1) >= most)
      throw refusals.storeFailed("maximum messages exceeded");
    const freed = replaced === undefined ? 0 : bytesOf(replaced);
    if (mostBytes > 0 && this.messages.bytes - freed + bytesOf(message) > mostBytes)
      throw refusals.storeFailed("maximum bytes exceeded");
  }

  #replacedBy(subject: string): Stored | undefined {
    const most = this.config.max_msgs_per_subject;
    if (most <= 0) return undefined;
    const [, places] = this.messages.subjects(subject)[0] ?? [];
    if (places === undefined || places.size < most) return undefined;
    const [oldest] = places;
    return oldest === undefined ? undefined : this.messages.get(oldest);
  }

  #store(message: Pick<Stored, "subject" | "headers" | "data">): Stored {
    const replaced = this.#replacedBy(message.subject);
    const { subject, headers, data } = message;
    const stored = this.messages.add({ subject, headers, data, atMs: this.#owner.clock.now() });
    this.#lastAtMs = stored.atMs;
    if (replaced !== undefined) this.remove(replaced.seq);
    if (rollsUp(headers))
      for (const seq of this.messages.placesOf(subject)) if (seq < stored.seq) this.remove(seq);
    const { max_msgs: most } = this.config;
    while (this.config.discard === "old" && most > 0 && this.messages.size > most)
      this.remove(this.messages.firstSeq);
    for (const consumer of this.consumers.values()) consumer.stored(stored);
    this.#age();
    return stored;
  }

  remove(seq: number): boolean {
    const removed = this.messages.remove(seq);
    if (removed === undefined) return false;
    this.#schedules.disarm(seq);
    for (const consumer of this.consumers.values()) consumer.removed(removed);
    return true;
  }

  purge({ filter = ">", seq, keep }: PurgeQuery): number {
    const fit = [...this.messages.values()].filter(
      (message) =>
        (filter === ">" || takes(filter, message.subject)) &&
        (seq === undefined || message.seq < seq),
    );
    const purged = keep === undefined ? fit : fit.slice(0, Math.max(0, fit.length - keep));
    for (const message of purged) this.remove(message.seq);
    return purged.length;
  }

  /** A consumer that has acked what a work queue holds takes it out. */
  #acked(seq: number): void {
    if (this.config.retention !== "workqueue") return;
    const message = this.messages.get(seq);
    if (message === undefined) return;
    this.#owner.journal.did(() => this.messages.restore([message]));
    this.remove(seq);
  }

  addConsumer(name: string, config: ConsumerSettings): ModelConsumer {
    const consumer = new ModelConsumer(name, config, {
      ...this.#owner,
      stream: this.config.name,
      replicas: this.config.num_replicas,
      messages: this.messages,
      acked: (seq) => this.#acked(seq),
      idle: (idle) => this.removeConsumer(idle, "409 Consumer Deleted"),
    });
    this.consumers.set(name, consumer);
    // Its maker is answered before anything is sent.
    this.#owner.clock.setTimer(0, () => consumer.dispatch());
    return consumer;
  }

  removeConsumer(name: string, word: string | undefined): boolean {
    const consumer = this.consumers.get(name);
    if (consumer === undefined) return false;
    consumer.end(word);
    return this.consumers.delete(name);
  }

  end(): void {
    this.#aging?.cancel();
    this.#schedules.clear();
    for (const name of [...this.consumers.keys()])
      this.removeConsumer(name, "409 Consumer Deleted");
  }

  /** Nothing goes into it or out of it by itself. */
  stop(): void {
    this.#aging?.cancel();
    this.#aging = undefined;
    this.#schedules.clear();
  }

  /** Nothing of it happens any more, until it is restarted. */
  halt(): void {
    this.stop();
    for (const consumer of this.consumers.values()) consumer.end(undefined);
  }

  /**
   * After the undone was undone. Readers of memory only are forgotten, and ids of what is not here
   * any more.
   */
  restart(): void {
    const { clock } = this.#owner;
    this.#ids.rebuild(this.messages.values(), clock.now(), this.config.duplicate_window / NS_A_MS);
    this.#beLed((consumer) => consumer.restart());
  }

  /** The same by another server, which has seen each message. */
  lead(): void {
    this.#beLed((consumer) => consumer.lead());
  }

  #beLed(lead: (consumer: ModelConsumer) => void): void {
    for (const [name, consumer] of this.consumers)
      if (consumer.config.durable_name === undefined) this.consumers.delete(name);
      else lead(consumer);
    for (const stored of this.messages.values()) {
      const dueMs = this.#schedules.read(stored.headers, this);
      if (dueMs !== undefined) this.#schedules.arm(stored, dueMs);
    }
    this.#age();
  }

  /** A schedule has run out: its message goes where it says, and leaves its own subject. */
  #fire({ seq, subject, headers, data }: Stored): void {
    const target = fieldOf(headers, "Nats-Schedule-Target");
    if (target === undefined || this.messages.get(seq) === undefined) return;
    this.#store({ subject: target, headers: withoutSchedule(headers, subject), data });
    this.remove(seq);
  }

  #age(): void {
    const { max_age: maxAge } = this.config;
    if (maxAge <= 0 || this.#aging !== undefined) return;
    const first = this.messages.get(this.messages.firstSeq);
    if (first === undefined) return;
    const { clock } = this.#owner;
    const leftMs = first.atMs + maxAge / NS_A_MS - clock.now();
    this.#aging = clock.setTimer(Math.max(1, leftMs), () => {
      this.#aging = undefined;
      const until = clock.now() - maxAge / NS_A_MS;
      for (const { seq, atMs } of [...this.messages.values()]) {
        if (atMs > until) break;
        this.remove(seq);
      }
      this.#age();
    });
  }

  /** @param filter names the subjects that fit */
  info(filter?: string): object {
    const { messages } = this;
    const fitting =
      filter === undefined
        ? []
        : messages.subjects(filter).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const subjects = Object.fromEntries(fitting.map(([subject, places]) => [subject, places.size]));
    const deleted =
      messages.size === 0 ? 0 : messages.lastSeq - messages.firstSeq + 1 - messages.size;
    return {
      config: this.config,
      created: new Date(this.#createdMs).toISOString(),
      state: {
        messages: messages.size,
        bytes: messages.bytes,
        first_seq: messages.firstSeq,
        first_ts: timeOf(messages.get(messages.firstSeq)?.atMs),
        last_seq: messages.lastSeq,
        last_ts: timeOf(this.#lastAtMs === 0 ? undefined : this.#lastAtMs),
        ...(messages.subjectCount === 0 ? {} : { num_subjects: messages.subjectCount }),
        ...(deleted === 0 ? {} : { num_deleted: deleted }),
        ...(fitting.length === 0 ? {} : { subjects }),
        consumer_count: this.consumers.size,
      },
    };
  }
}

/** It takes the place of all before it of its subject. */
function rollsUp(headers: Uint8Array | undefined): boolean {
  return fieldOf(headers, "Nats-Rollup") === "sub";
}

function timeOf(atMs: number | undefined): string {
  return atMs === undefined ? "0001-01-01T00:00:00Z" : new Date(atMs).toISOString();
}
