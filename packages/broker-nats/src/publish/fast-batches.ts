import type { Clock, Timer } from "@millrace/core";
import type { Msg, NatsConnection, Status, Subscription } from "@nats-io/nats-core";
import { watchConnection } from "../connection/connection-events.ts";
import { hearOn } from "../connection/hear-on.ts";
import { MillraceError } from "../errors.ts";
import {
  type InFlightRequest,
  revocationOf,
  type Requester,
  type ReplyMeaning,
} from "../requests/in-flight-request.ts";
import { machineOf } from "../machine/machine.ts";
import { every } from "../machine/timers.ts";
import { atEndOfTurn } from "../wire/end-of-turn.ts";
import { encodeHeaders } from "../wire/headers.ts";
import { newInbox } from "../wire/inbox.ts";
import { publishFrame } from "../wire/publish-frame.ts";
import { Batch, type OutcomeReader, type OutgoingMessage } from "./batch.ts";
import { readBatchAnswer, takesBatches } from "./batch-answer.ts";
import type { ConfirmedPublisher } from "./confirmed-publisher.ts";
import { FastBatch, type Operation, OPERATION } from "./fast-batch.ts";
import type { PubAck } from "./pub-ack.ts";

export interface FastBatchesOptions {
  readonly publisher: Pick<ConfirmedPublisher, "request" | "give">;
  /** Of the stream, which is asked whether it takes batches. Default: `open` says so. */
  readonly asks?: string | undefined;
  /** A batch without its acknowledgement for so long is given up. Default 2,000. */
  readonly attemptTimeoutMs?: number;
}

/** Fewer in one turn cost less one by one: the server answers the first and the last of a batch. */
const LEAST = 4;
/** Most in batches without an answer; more go one by one, which wait for room. */
const WINDOW = 1_024;
/**
 * Between a batch's token and a place: how many the server may take before it says how far it is,
 * and that nothing after a refused one is stored.
 */
const FLOW = ".1000.fail.";
/** In the place of a batch's token. */
const ASKED = "ask";
const TICKS = 4;
const NOTHING = new Uint8Array();
/** A server that knows nothing of batches refuses a message with this, where it would store it. */
const ONLY_A_BATCH = encodeHeaders({ "Nats-Expected-Stream": "/" });

/**
 * Messages for one stream, those of one turn of the event loop as one fast batch (NATS 2.14): the
 * server answers once for all. They go out as they come but for the newest, which is held back
 * until it is known whether it is the last (docs/decisions/speed.md).
 *
 * Only what the server has confirmed counts. What it was silent about goes out once more, one by
 * one: so a second copy must do no harm, and a message with an id must not be one that the stream
 * may know, because the server drops those without a word.
 */
export class FastBatches {
  readonly #nc: NatsConnection;
  readonly #publisher: FastBatchesOptions["publisher"];
  readonly #asks: string | undefined;
  readonly #clock: Clock;
  readonly #tickMs: number;
  /** Of its reply subjects, once there are any. */
  #prefix = "";
  #sub: Subscription | undefined;
  #unwatch: (() => void) | undefined;
  /** By the tokens of their reply subjects, oldest first. */
  readonly #underWay = new Map<string, FastBatch>();
  readonly #held: InFlightRequest<PubAck>[] = [];
  #current: FastBatch | undefined;
  /** Set while a turn's end is awaited. */
  #turning = false;
  #isOpen = false;
  #isUp = true;
  /** In batches, without an answer. */
  #pending = 0;
  #tick = 0;
  #timer: Timer | undefined;
  #idle: (() => void)[] = [];

  constructor(
    nc: NatsConnection,
    { publisher, asks, attemptTimeoutMs = 2_000 }: FastBatchesOptions,
  ) {
    this.#nc = nc;
    this.#publisher = publisher;
    this.#asks = asks;
    this.#clock = machineOf(nc).clock;
    this.#tickMs = Math.ceil(attemptTimeoutMs / TICKS);
    this.#ask();
  }

  /** Whether the stream takes batches; until it is said it does not. */
  open(takesBatches: boolean): void {
    this.#isOpen = takesBatches;
    if (takesBatches) this.#listen();
  }

  /** Goes on one by one until there is an answer. */
  #ask(): void {
    if (this.#asks === undefined) return;
    this.#isOpen = false;
    try {
      this.#listen();
      // A message of no batch, at a place where no batch can begin: some servers take a first one
      // for a beginning.
      const reply = `${this.#prefix}${ASKED}${FLOW}2.${OPERATION.ping}.$FI`;
      publishFrame(this.#nc, this.#asks, NOTHING, reply, ONLY_A_BATCH);
    } catch {
      // The connection is closed, which each job is told.
    }
  }

  #listen(): void {
    if (this.#sub !== undefined) return;
    const inbox = newInbox(this.#nc);
    // A batch is known by one token, to all who publish to the stream.
    this.#prefix = `${inbox}.${inbox.slice(inbox.lastIndexOf(".") + 1)}-`;
    this.#sub = hearOn(this.#nc, `${inbox}.>`, (error, msg) =>
      error ? this.#shut() : this.#answer(msg),
    );
    this.#unwatch = watchConnection(this.#nc, (status) => this.#observe(status));
  }

  /** @throws as `ConfirmedPublisher.send` */
  send(publication: OutgoingMessage, requester: Requester<PubAck>, index: number): void {
    this.#give(this.#publisher.request(publication, requester, index));
  }

  /** As `ConfirmedPublisher.publishMany`, but takes all items at once. */
  publishMany<Result>(
    items: Iterable<OutgoingMessage>,
    reader: OutcomeReader<Result>,
  ): Promise<Result[]> {
    return new Promise((resolve, reject) => {
      const many = new Batch(items[Symbol.iterator](), this.#requestOf, reader, resolve, reject);
      for (let next = many.next(); next !== undefined; next = many.next()) this.#give(next);
    });
  }

  readonly #requestOf = (
    item: OutgoingMessage,
    requester: Requester<PubAck>,
    index: number,
  ): InFlightRequest<PubAck> => this.#publisher.request(item, requester, index);

  #give(request: InFlightRequest<PubAck>): void {
    if (!this.#isOpen || !this.#isUp || this.#pending + this.#held.length >= WINDOW)
      return this.#publisher.give(request);
    this.#held.push(request);
    if (!this.#turning) {
      this.#turning = true;
      atEndOfTurn(this.#endTurn);
    }
    if (this.#held.length >= LEAST) this.#current ??= this.#begun();
    if (this.#current === undefined) return;
    while (this.#held.length > 1) this.#pass(this.#current, this.#held.shift());
  }

  /** Takes no more, and leaves what is not confirmed to the publisher. */
  async close(): Promise<void> {
    this.#isOpen = false;
    this.#endTurn();
    if (this.#underWay.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#unwatch?.();
    this.#stopTimer();
    if (!this.#nc.isClosed()) this.#sub?.unsubscribe();
  }

  #begun(): FastBatch {
    // The server knows a batch by it alone: whoever foresaw it could begin the batch before.
    const token = machineOf(this.#nc).newToken();
    const batch = new FastBatch(token, this.#tick);
    this.#underWay.set(token, batch);
    this.#timer ??= every(this.#clock, this.#tickMs, () => this.#sweep());
    return batch;
  }

  /** An arrow: it is called for each turn. */
  readonly #endTurn = (): void => {
    this.#turning = false;
    const batch = this.#current;
    this.#current = undefined;
    const held = this.#held.splice(0);
    if (batch === undefined) for (const request of held) this.#giveAlone(request);
    else if (!this.#pass(batch, held[0], OPERATION.commit)) this.#end(batch, batch.length + 1);
  };

  /** @returns false where it did not become part of the batch */
  #pass(
    batch: FastBatch,
    request: InFlightRequest<PubAck> | undefined,
    operation: Operation = batch.length === 0 ? OPERATION.start : OPERATION.append,
  ): boolean {
    if (request === undefined) return false;
    // Given up meanwhile, or what a handler did in this turn took longer than a lease.
    if (!this.#underWay.has(batch.token) || revocationOf(request) !== undefined) {
      this.#giveAlone(request);
      return false;
    }
    const { subject, data, headers } = request;
    const place = batch.add(request);
    try {
      publishFrame(this.#nc, subject, data, this.#replyTo(batch, place, operation), headers);
    } catch {
      batch.withdraw();
      this.#giveAlone(request);
      return false;
    }
    request.sends = 1;
    this.#pending += 1;
    return true;
  }

  #replyTo({ token }: FastBatch, place: number, operation: Operation): string {
    return `${this.#prefix}${token}${FLOW}${place}.${operation}.$FI`;
  }

  /** Without a last message: what is said here is stored nowhere. */
  #end(batch: FastBatch, place: number): void {
    if (!this.#underWay.has(batch.token)) return;
    if (batch.length === 0) return this.#giveUp(batch);
    try {
      const reply = this.#replyTo(batch, place, OPERATION.end);
      publishFrame(this.#nc, batch.subject, NOTHING, reply, ONLY_A_BATCH);
    } catch {
      this.#giveUp(batch);
    }
  }

  #answer(msg: Msg): void {
    const from = this.#prefix.length;
    const token = msg.subject.slice(from, msg.subject.indexOf(".", from));
    if (token === ASKED) this.#isOpen = takesBatches(msg);
    const batch = this.#underWay.get(token);
    if (batch === undefined) return;
    const answer = readBatchAnswer(msg, batch.subject);
    switch (answer.kind) {
      case "nothing":
        return;
      case "ended":
        for (const request of batch.takeUpTo(answer.count)) this.#settle(request, answer.ack);
        return this.#giveUp(batch);
      case "alone":
        return this.#settle(batch.take(answer.place), answer.ack);
      case "refused": {
        const refused = batch.take(answer.place);
        // What ends a batch was refused itself.
        if (refused === undefined) return this.#giveUp(batch);
        this.#settle(refused, answer.meaning);
        // The server waits for more.
        if (!answer.closes && answer.place === batch.length && batch !== this.#current)
          this.#end(batch, answer.place);
        return;
      }
      case "closed":
        this.#isOpen = false;
        return this.#giveUp(batch);
      case "lost":
        return this.#giveUp(batch);
    }
  }

  #settle(request: InFlightRequest<PubAck> | undefined, meaning: ReplyMeaning<PubAck>): void {
    if (request === undefined) return;
    this.#pending -= 1;
    if (meaning instanceof MillraceError) request.requester.failed(meaning, request.index);
    else if (typeof meaning === "symbol") this.#giveAlone(request);
    else request.requester.done(meaning, request.index);
  }

  /**
   * What has no answer goes out one by one.
   *
   * @param isOver the server has said that no more comes
   */
  #giveUp(batch: FastBatch, isOver = true): void {
    if (!this.#underWay.delete(batch.token)) return;
    const rest = batch.takeUpTo(batch.length);
    this.#pending -= rest.length;
    for (const request of rest) this.#giveAlone(request, isOver);
    if (this.#underWay.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /**
   * Its copy in a batch that is over counts as refused: a full stream refuses one message of a
   * batch, and of those behind it nothing is said.
   */
  #giveAlone(request: InFlightRequest<PubAck>, isRefused = true): void {
    if (isRefused) request.refused = request.sends;
    const revoked = revocationOf(request);
    if (revoked === undefined) this.#publisher.give(request);
    else request.requester.failed(revoked, request.index);
  }

  #giveUpAll(): void {
    for (const batch of [...this.#underWay.values()]) this.#giveUp(batch, false);
  }

  #sweep(): void {
    this.#tick += 1;
    for (const batch of [...this.#underWay.values()])
      if (this.#tick - batch.tick > TICKS) this.#giveUp(batch, false);
    if (this.#underWay.size === 0) this.#stopTimer();
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /**
   * What a connection that broke was told last is not known, and a refusal may have been among it.
   */
  #observe({ type }: Status): void {
    if (type === "disconnect") this.#isUp = false;
    if (type === "reconnect") this.#isUp = true;
    if (type === "disconnect" || type === "reconnect" || type === "close") this.#giveUpAll();
    // Perhaps another server, or the queue was made anew.
    if (type === "reconnect") this.#ask();
  }

  /** No answer will ever be heard. */
  #shut(): void {
    this.#isOpen = false;
    this.#giveUpAll();
  }
}
