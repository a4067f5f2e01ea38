import type { Timer } from "@millrace/core";
import type { ConsumerSettings } from "./api-types.ts";
import { delayOf } from "./nak-delay.ts";
import { packetOf, statusPacket } from "./packet.ts";
import { PushTimers } from "./push-timers.ts";
import type { ConsumerOwner } from "./surroundings.ts";
import { PullQueue, type PullRequest } from "./pull-queue.ts";
import { bytesOf, OVERHEAD_BYTES, type Stored } from "./stored.ts";
import { takes } from "./subject.ts";

interface Pending {
  consumerSeq: number;
  /** Monotonic. Later than now once a NAK asked for a delay. */
  sinceMs: number;
}

const NS_A_MS = 1e6;
/**
 * A server that starts looks for leases that are over half a second later at the earliest, one and
 * a half at the latest.
 */
const FIRST_LOOK_MS = 1_000;

/**
 * A consumer as a server keeps it: what it has delivered and what is out, by sequence. An ack or an
 * extension is of a sequence, whoever sends it; what a lease's end has put among the redeliveries
 * comes again, whatever its holder says then.
 */
export class ModelConsumer {
  readonly name: string;
  readonly createdMs: number;
  config: ConsumerSettings;
  readonly #owner: ConsumerOwner;
  readonly #pulls: PullQueue;
  readonly #pending = new Map<number, Pending>();
  readonly #redelivered = new Map<number, number>();
  #redeliveries: number[] = [];
  /** The first place that was not looked at yet. */
  #next: number;
  #consumerSeq = 0;
  /** Since its server was started. */
  #hasDelivered = false;
  #deliveredSeq = 0;
  #ackFloor = { consumer: 0, stream: 0 };
  #waitingCount = 0;
  #leases: Timer | undefined;
  #leasesDueMs = Number.POSITIVE_INFINITY;
  readonly #timers: PushTimers;
  #gone = false;

  constructor(name: string, config: ConsumerSettings, owner: ConsumerOwner) {
    this.name = name;
    this.config = config;
    this.#owner = owner;
    this.createdMs = owner.clock.now();
    const wanted = config.deliver_policy === "by_start_sequence" ? (config.opt_start_seq ?? 1) : 1;
    this.#next = Math.max(1, wanted, owner.messages.firstSeq);
    this.#deliveredSeq = this.#next - 1;
    this.#pulls = new PullQueue(owner, () => ({
      consumer: this.#consumerSeq,
      stream: this.#deliveredSeq,
    }));
    this.#timers = new PushTimers(
      owner,
      () => this.config,
      () => ({ consumer: this.#consumerSeq, stream: this.#deliveredSeq }),
      () => owner.idle(this.name),
    );
    this.#recount();
    this.#timers.used();
    this.#timers.delivered();
  }

  get filters(): readonly string[] {
    const { filter_subject: one, filter_subjects: many } = this.config;
    if (many !== undefined && many.length > 0) return many;
    return one === undefined || one === "" ? [">"] : [one];
  }

  #fits(subject: string): boolean {
    return this.filters.some((filter) => takes(filter, subject));
  }

  reconfigure(config: ConsumerSettings): void {
    this.config = config;
    this.#recount();
    this.dispatch();
  }

  pull(request: PullRequest): void {
    this.#timers.used();
    const { flavour } = this.#owner;
    if (request.noWait && this.#waitingCount + this.#redeliveries.length === 0)
      return this.#owner.send(request.reply, statusPacket(request.reply, "404 No Messages"));
    if (this.#pulls.size >= (this.config.max_waiting ?? 512))
      return this.#owner.send(
        request.reply,
        statusPacket(request.reply, "409 Exceeded MaxWaiting"),
      );
    this.#pulls.add(request);
    this.dispatch();
    if (request.noWait)
      this.#pulls.endNoWait(request, this.#owner.replicas > 1 ? "408" : flavour.servedNoWait);
  }

  /** Something was stored. */
  stored(message: Stored): void {
    if (!this.#fits(message.subject)) return;
    this.#waitingCount += 1;
    this.dispatch();
  }

  /** Something is gone from the stream. */
  removed(message: Stored): void {
    if (message.seq >= this.#next && this.#fits(message.subject)) this.#waitingCount -= 1;
    this.#pending.delete(message.seq);
    this.#redelivered.delete(message.seq);
    if (this.#redeliveries.length > 0)
      this.#redeliveries = this.#redeliveries.filter((seq) => seq !== message.seq);
  }

  /** `+ACK`, `-NAK`, `+WPI`, `+TERM`, by whoever. */
  answer(seq: number, word: string): void {
    if (word === "" || word === "+ACK" || word === "+TERM" || word === "+OK") this.#ack(seq);
    else if (word.startsWith("-NAK")) this.#nak(seq, delayOf(word));
    else if (word === "+WPI") this.#extend(seq);
  }

  #ack(seq: number): void {
    if (seq >= this.#next) return;
    const pending = this.#pending.get(seq);
    const count = this.#redelivered.get(seq);
    const queued = this.#redeliveries.includes(seq);
    this.#owner.journal.did(() => {
      if (pending !== undefined) this.#pending.set(seq, { ...pending });
      if (count !== undefined) this.#redelivered.set(seq, count);
      if (queued) this.#redeliveries.push(seq);
    });
    this.#pending.delete(seq);
    this.#redelivered.delete(seq);
    if (queued) this.#redeliveries = this.#redeliveries.filter((other) => other !== seq);
    this.#raiseFloor();
    this.#owner.acked(seq);
    this.dispatch();
  }

  #nak(seq: number, delayMs: number): void {
    const pending = this.#pending.get(seq);
    if (pending === undefined) return;
    if (delayMs > 0) {
      pending.sinceMs = this.#owner.clock.monotonic() - this.#leaseMs + delayMs;
      return this.#watchLeases();
    }
    if (!this.#redeliveries.includes(seq)) this.#redeliveries.push(seq);
    this.dispatch();
  }

  #extend(seq: number): void {
    const pending = this.#pending.get(seq);
    if (pending === undefined) return;
    const before = pending.sinceMs;
    this.#owner.journal.did(() => {
      const now = this.#pending.get(seq);
      if (now !== undefined) now.sinceMs = before;
    });
    pending.sinceMs = this.#owner.clock.monotonic();
    this.#watchLeases();
  }

  dispatch(): void {
    if (this.#gone) return;
    if (this.config.deliver_subject !== undefined) return this.#push(this.config.deliver_subject);
    while (this.#pulls.isWaiting()) {
      const message = this.#peek();
      if (message === undefined) break;
      const bytes = bytesOf(message) - OVERHEAD_BYTES + this.#ackSubject(message).length;
      const pull = this.#pulls.take(bytes);
      if (pull === "refused") continue;
      if (pull === undefined) break;
      this.#deliver(message, pull.reply);
      this.#pulls.delivered(pull, bytes);
    }
  }

  #push(subject: string): void {
    if (!this.#owner.isHeard(subject)) return;
    for (let message = this.#peek(); message !== undefined; message = this.#peek())
      this.#deliver(message, subject);
    this.#timers.delivered();
  }

  /** The next message, without taking it. */
  #peek(): Stored | undefined {
    const { messages } = this.#owner;
    while (this.#redeliveries.length > 0) {
      const seq = this.#redeliveries[0] as number;
      const message = messages.get(seq);
      if (message !== undefined) return message;
      this.#redeliveries.shift();
    }
    if (this.#pending.size >= this.#mostPending) return undefined;
    for (; this.#next <= messages.lastSeq; this.#next += 1) {
      const message = messages.get(this.#next);
      if (message !== undefined && this.#fits(message.subject)) return message;
    }
    return undefined;
  }

  get #mostPending(): number {
    const { max_ack_pending: most = -1 } = this.config;
    return this.config.ack_policy === "none" || most < 0 ? Number.POSITIVE_INFINITY : most;
  }

  #deliver(message: Stored, to: string): void {
    const { seq } = message;
    const ack = this.#ackSubject(message);
    const again = this.#redeliveries[0] === seq;
    if (again) this.#redeliveries.shift();
    else {
      this.#next = seq + 1;
      this.#waitingCount -= 1;
    }
    const count = again ? (this.#redelivered.get(seq) ?? 1) + 1 : 1;
    const consumerSeq = (this.#consumerSeq += 1);
    this.#hasDelivered = true;
    const lastSeq = this.#deliveredSeq;
    this.#deliveredSeq = Math.max(lastSeq, seq);
    if (this.config.ack_policy === "explicit") {
      const before = this.#pending.get(seq);
      this.#owner.journal.did(() => {
        this.#undeliver(seq, again, count, before);
        this.#consumerSeq = consumerSeq - 1;
        this.#deliveredSeq = lastSeq;
      });
      if (again) this.#redelivered.set(seq, count);
      this.#pending.set(seq, { consumerSeq, sinceMs: this.#owner.clock.monotonic() });
      this.#watchLeases();
    }
    this.#owner.send(to, packetOf(message.subject, message.data, ack, message.headers));
  }

  /** Of the delivery that comes next. */
  #ackSubject({ seq, atMs }: Stored): string {
    const again = this.#redeliveries[0] === seq;
    const count = again ? (this.#redelivered.get(seq) ?? 1) + 1 : 1;
    const left = this.#waitingCount - (again ? 0 : 1);
    const at = `${Math.floor(atMs)}000000`;
    return `$JS.ACK.${this.#owner.stream}.${this.name}.${count}.${seq}.${this.#consumerSeq + 1}.${at}.${left}`;
  }

  #undeliver(seq: number, again: boolean, count: number, before: Pending | undefined): void {
    if (again && before !== undefined) {
      this.#redelivered.set(seq, count - 1);
      if (count === 2) this.#redelivered.delete(seq);
      this.#pending.set(seq, { ...before });
      return;
    }
    this.#pending.delete(seq);
    this.#redelivered.delete(seq);
    this.#next = Math.min(this.#next, seq);
  }

  get #leaseMs(): number {
    return (this.config.ack_wait ?? 30_000 * NS_A_MS) / NS_A_MS;
  }

  /** @param leastMs not before then */
  #watchLeases(leastMs = 0): void {
    let first = Number.POSITIVE_INFINITY;
    for (const { sinceMs } of this.#pending.values()) first = Math.min(first, sinceMs);
    const dueMs = first + this.#leaseMs;
    if (dueMs === this.#leasesDueMs) return;
    this.#leases?.cancel();
    this.#leasesDueMs = dueMs;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    const { clock } = this.#owner;
    this.#leases = clock.setTimer(Math.max(leastMs, dueMs - clock.monotonic()), () =>
      this.#endLeases(),
    );
  }

  #endLeases(): void {
    this.#leasesDueMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#owner.clock.monotonic();
    const over: number[] = [];
    for (const [seq, pending] of this.#pending)
      if (pending.sinceMs + this.#leaseMs <= nowMs) {
        over.push(seq);
        // Looked at again after as long, as long as nobody takes it.
        pending.sinceMs = nowMs;
      }
    for (const seq of over.toSorted((a, b) => a - b))
      if (!this.#redeliveries.includes(seq)) this.#redeliveries.push(seq);
    this.#watchLeases();
    this.dispatch();
  }

  #raiseFloor(): void {
    if (this.#pending.size === 0)
      this.#ackFloor = { consumer: this.#consumerSeq, stream: this.#next - 1 };
    else {
      const [first] = [...this.#pending.keys()].toSorted((a, b) => a - b);
      this.#ackFloor = {
        consumer: this.#ackFloor.consumer,
        stream: Math.max(this.#ackFloor.stream, (first ?? 1) - 1),
      };
    }
  }

  #recount(): void {
    const { messages } = this.#owner;
    this.#waitingCount = 0;
    for (const { seq, subject } of messages.values())
      if (seq >= this.#next && this.#fits(subject)) this.#waitingCount += 1;
  }

  /**
   * What is waited for here is not answered any more.
   * @param word what those who wait are told, if anything
   */
  end(word: string | undefined): void {
    this.#gone = true;
    this.#leases?.cancel();
    this.#timers.end();
    this.#pulls.end(word);
  }

  /** On a server that starts again, which does not know when it was delivered from last. */
  restart(): void {
    this.#hasDelivered = false;
    this.lead();
  }

  /** By a new leader: the undone is undone, and of those who waited nobody is there. */
  lead(): void {
    this.#gone = false;
    this.#pulls.end(undefined);
    this.#leases?.cancel();
    this.#leasesDueMs = Number.POSITIVE_INFINITY;
    const { messages } = this.#owner;
    for (const seq of [...this.#pending.keys()])
      if (messages.get(seq) === undefined) this.#pending.delete(seq);
    this.#redeliveries = this.#redeliveries.filter((seq) => this.#pending.has(seq));
    this.#recount();
    this.#watchLeases(FIRST_LOOK_MS);
    this.#timers.used();
  }

  get info(): object {
    const delivered = { consumer_seq: this.#consumerSeq, stream_seq: this.#deliveredSeq };
    return {
      stream_name: this.#owner.stream,
      name: this.name,
      created: new Date(this.createdMs).toISOString(),
      config: this.config,
      delivered: !this.#hasDelivered
        ? delivered
        : { ...delivered, last_active: new Date(this.#owner.clock.now()).toISOString() },
      ack_floor: { consumer_seq: this.#ackFloor.consumer, stream_seq: this.#ackFloor.stream },
      num_ack_pending: this.#pending.size,
      num_redelivered: this.#redelivered.size,
      num_waiting: this.#pulls.size,
      num_pending: this.#waitingCount,
      ...(this.config.deliver_subject === undefined ? {} : { push_bound: true }),
      ts: new Date(this.#owner.clock.now()).toISOString(),
    };
  }
}
