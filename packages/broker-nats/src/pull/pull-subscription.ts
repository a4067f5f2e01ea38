import type { Clock, Timer } from "@millrace/core";
import type { Msg, NatsConnection, Status, Subscription } from "@nats-io/nats-core";
import { machineOf } from "../machine/machine.ts";
import { every, quietly } from "../machine/timers.ts";
import { watchConnection } from "../connection/connection-events.ts";
import { MillraceError } from "../errors.ts";
import { newInbox } from "../wire/inbox.ts";
import { readHeaders, readStatus } from "../wire/read-headers.ts";
import { Delivery } from "./delivery.ts";
import { PullLedger } from "./pull-ledger.ts";
import { type Pull, pullBytes, pullFor } from "./pull-size.ts";
import { type PullNews, pullNews } from "./pull-status.ts";

export interface PullSubscriptionOptions {
  readonly nc: NatsConnection;
  readonly stream: string;
  readonly consumer: string;
  /** How many deliveries the owner can take now, those on their way not deducted. */
  freeSlots(): number;
  /**
   * How many more bytes the owner can take now; the largest message may come in any case. Default:
   * any number.
   */
  freeBytes?(): number;
  /**
   * What to ask for now, for owners that share their slots between several subscriptions; asked at
   * the start, when slots were freed and when a pull has ended. Default: as many as there are free
   * slots.
   */
  plan?(outstanding: number): Pull | undefined;
  /** A pull ended before it was served in full: the consumer had no more. `plan` is asked next. */
  onRanDry?(): void;
  /**
   * Takes a slot. Called while one is free, and for the few messages that were on the wire when
   * pulling ended or began anew: those are the owner's as well, because giving one back would count
   * as a delivery. Must not throw.
   */
  onMessage(delivery: Delivery): void;
  /**
   * Creates the consumer anew where it is really gone; must do nothing where it is there. Pulls
   * resume after it.
   */
  onConsumerMissing?(): Promise<void>;
  /** For the log: pulls are tried again whatever it is. */
  onProblem?(error: MillraceError): void;
  /** A pull the server doesn't serve ends after this. Default 30,000. */
  readonly expiresMs?: number;
  /**
   * The server shows that it is alive at least this often; silence of three of these is a fault.
   * Default 2,000.
   */
  readonly heartbeatMs?: number;
}

/**
 * `running`: has an inbox while the connection is up, and pulls. `paused`: neither inbox nor pulls,
 * until `resume`. `stopped`: the same for good.
 */
type Phase = "running" | "paused" | "stopped";

/**
 * Pulls live and die with their inbox: the server drops what nobody listens for. So a new start is
 * a new inbox.
 */
interface Inbox {
  readonly prefix: string;
  readonly sub: Subscription;
  readonly ledger: PullLedger;
}

/** So many slots are pulled for at once; fewer wait for the end of the turn. */
const WORTH_A_PULL = 32;
/** How long a stop lets pulls be served: a stream with a backlog takes a fraction of it. */
const SERVING_MS = 50;
/**
 * An old server may take a pull that does not wait and never answer it, when others are served in
 * the same moment.
 */
const NO_WAIT_PATIENCE_MS = 250;
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 5_000;

/**
 * Pulls from a durable consumer no more than its owner has free slots, so that no delivery waits
 * while its lease runs. While slots are free a pull is always outstanding: a new message is one hop
 * away.
 *
 * The owner calls `slotFreed` whenever a slot becomes free. Refills are batched: one pull for a
 * quarter of the free slots, or as soon as nothing is on its way.
 */
export class PullSubscription {
  readonly #options: PullSubscriptionOptions;
  readonly #nc: NatsConnection;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #expiresMs: number;
  readonly #heartbeatMs: number;
  readonly #apiSubject: string;
  readonly #plan: (outstanding: number) => Pull | undefined;
  readonly #unwatch: () => void;
  readonly #drains = new Set<Promise<void>>();
  #phase: Phase = "running";
  #inbox: Inbox | undefined;
  #lastPull = 0;
  #maxBatch = 1_000;
  /** The consumer's own limit, once it said so. */
  #maxBytes = Number.POSITIVE_INFINITY;
  #failures = 0;
  #backoff: Timer | undefined;
  #monitor: Timer | undefined;
  #due: NodeJS.Immediate | undefined;
  #unanswered: Timer | undefined;
  #silentTicks = 0;
  #stopping: Promise<void> | undefined;
  #onServed: (() => void) | undefined;
  #lastActivityMs: number;

  constructor(options: PullSubscriptionOptions) {
    this.#options = options;
    this.#nc = options.nc;
    const { clock, random } = machineOf(options.nc);
    this.#clock = clock;
    this.#random = random;
    this.#lastActivityMs = clock.monotonic();
    this.#expiresMs = options.expiresMs ?? 30_000;
    this.#heartbeatMs = Math.min(options.heartbeatMs ?? 2_000, this.#expiresMs / 2);
    this.#plan =
      options.plan === undefined
        ? (outstanding) => pullFor(options.freeSlots(), outstanding, this.#maxBatch)
        : (outstanding) => options.plan?.(outstanding);
    this.#apiSubject = `$JS.API.CONSUMER.MSG.NEXT.${options.stream}.${options.consumer}`;
    this.#unwatch = watchConnection(options.nc, (status) => this.#observe(status));
    this.#open();
  }

  /** Asked for and not here yet. */
  get outstanding(): number {
    return this.#inbox?.ledger.outstanding ?? 0;
  }

  /** On the monotonic clock: the last message of any kind from the server. */
  get lastActivityMs(): number {
    return this.#lastActivityMs;
  }

  /** A slot of the owner's became free. */
  slotFreed(): void {
    const inbox = this.#inbox;
    if (inbox === undefined) return;
    if (this.#options.freeSlots() - inbox.ledger.outstanding >= WORTH_A_PULL) this.#refill();
    // Slots freed in the same turn of the event loop share a pull.
    else this.#due ??= setImmediate(() => this.#refillDue());
  }

  /** Asks the plan now. Opens what was withdrawn. */
  refill(): void {
    if (this.#inbox === undefined && this.#backoff === undefined) this.#open();
    else this.#refill();
  }

  /**
   * Takes back what is asked for, until the next `refill`. What the server sends in this very
   * moment reaches nobody before `ack_wait`, as at a stop: so only pulls that have long not been
   * served should be withdrawn.
   */
  withdraw(): void {
    if (this.#phase === "running" && this.outstanding > 0) this.#retire();
  }

  /**
   * Pulls no more until `resume`. Resolves when everything on its way has been handed over. As with
   * `stop`, pulls that are being served are first left a moment.
   */
  async pause(): Promise<void> {
    if (this.#phase === "running") this.#phase = "paused";
    if (this.outstanding > 0 && !this.#nc.isClosed()) await this.#served();
    // Resumed meanwhile, it goes on with the inbox it has.
    if (this.#isRunning()) return;
    this.#retire();
    await Promise.all(this.#drains);
  }

  #isRunning(): boolean {
    return this.#phase === "running";
  }

  resume(): void {
    if (this.#phase !== "paused") return;
    this.#phase = "running";
    if (this.#inbox === undefined) this.#open();
    else this.#refill();
  }

  /**
   * Pulls no more, hands over what still arrives, and resolves when nothing can arrive any more or
   * the deadline has passed. Messages handed out before are the owner's to settle.
   *
   * The server may be sending at the moment when the inbox goes, and what it sends then reaches
   * nobody before `ack_wait`. So pulls that are being served are first left a moment to be served
   * in full; after that only a message in that very moment can meet this.
   */
  stop(deadlineMs = 5_000): Promise<void> {
    this.#stopping ??= this.#stop(deadlineMs);
    return this.#stopping;
  }

  async #stop(deadlineMs: number): Promise<void> {
    this.#phase = "stopped";
    const deadline = Promise.withResolvers<void>();
    const timer = this.#clock.setTimer(deadlineMs, deadline.resolve);
    if (this.outstanding > 0 && deadlineMs > 0 && !this.#nc.isClosed()) await this.#served();
    this.#unwatch();
    this.#retire();
    await Promise.race([Promise.all(this.#drains), deadline.promise]);
    timer.cancel();
  }

  async #served(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // A stop may come while a pause still waits.
    const earlier = this.#onServed;
    this.#onServed = () => {
      earlier?.();
      resolve();
    };
    const timer = this.#clock.setTimer(SERVING_MS, resolve);
    await promise;
    timer.cancel();
  }

  #open(): void {
    if (
      this.#phase !== "running" ||
      this.#inbox !== undefined ||
      this.#nc.isClosed() ||
      this.#nc.isDraining()
    )
      return;
    const prefix = `${newInbox(this.#nc)}.`;
    const sub = this.#nc.subscribe(`${prefix}*`, {
      callback: (error, msg) => (error ? this.#refused(String(error)) : this.#receive(inbox, msg)),
    });
    const inbox: Inbox = { prefix, sub, ledger: new PullLedger() };
    this.#inbox = inbox;
    this.#silentTicks = 0;
    this.#monitor ??= quietly(every(this.#clock, this.#heartbeatMs / 2, () => this.#listen()));
    this.#refill();
  }

  /**
   * Lets go of the inbox: the server drops its pulls and takes back what it could not deliver; what
   * is on the wire is handed over.
   */
  #retire(): void {
    this.#backoff?.cancel();
    this.#unanswered?.cancel();
    this.#monitor?.cancel();
    clearImmediate(this.#due);
    this.#unanswered = undefined;
    this.#due = undefined;
    this.#backoff = undefined;
    this.#monitor = undefined;
    const inbox = this.#inbox;
    this.#inbox = undefined;
    if (inbox === undefined || inbox.sub.isClosed() || this.#nc.isClosed()) return;
    const drained = inbox.sub.drain().catch(() => inbox.sub.unsubscribe());
    this.#drains.add(drained);
    void drained.finally(() => this.#drains.delete(drained));
  }

  #refillDue(): void {
    this.#due = undefined;
    this.#refill();
  }

  #refill(): void {
    const inbox = this.#inbox;
    if (inbox === undefined || this.#backoff !== undefined || this.#phase !== "running") return;
    if (this.#nc.isClosed() || this.#nc.isDraining()) return;
    const { outstanding } = inbox.ledger;
    const pull = this.#plan(outstanding);
    if (pull === undefined) return;
    if (outstanding === 0) this.#silentTicks = 0;
    this.#ask(inbox, pull);
  }

  #ask(inbox: Inbox, pull: Pull): void {
    const { noWait = false } = pull;
    const batch = Math.min(pull.batch, this.#maxBatch);
    const expiresMs = Math.min(pull.expiresMs ?? Infinity, this.#expiresMs);
    const bytes = pullBytes(
      batch,
      this.#nc.info?.max_payload ?? 2 ** 20,
      this.#options.freeBytes?.(),
    );
    const limit = bytes === undefined ? "" : `"max_bytes":${Math.min(bytes, this.#maxBytes)},`;
    const token = String(++this.#lastPull);
    const nowMs = this.#clock.monotonic();
    const reply = { reply: inbox.prefix + token };
    if (noWait) {
      inbox.ledger.asked(token, batch, nowMs, nowMs + NO_WAIT_PATIENCE_MS);
      this.#unanswered ??= this.#clock.setTimer(NO_WAIT_PATIENCE_MS, () => this.#giveUpWaiting());
      this.#nc.publish(this.#apiSubject, `{"batch":${batch},${limit}"no_wait":true}`, reply);
      return;
    }
    inbox.ledger.asked(token, batch, nowMs, nowMs + expiresMs + this.#heartbeatMs);
    const heartbeatMs = Math.min(this.#heartbeatMs, expiresMs / 2);
    this.#nc.publish(
      this.#apiSubject,
      `{"batch":${batch},${limit}"expires":${expiresMs * 1e6},"idle_heartbeat":${heartbeatMs * 1e6}}`,
      reply,
    );
  }

  #giveUpWaiting(): void {
    this.#unanswered = undefined;
    if (this.outstanding === 0 || this.#phase !== "running") return;
    this.#retire();
    this.#options.onRanDry?.();
    this.#open();
  }

  #receive(inbox: Inbox, msg: Msg): void {
    this.#silentTicks = 0;
    this.#lastActivityMs = this.#clock.monotonic();
    const ackSubject = msg.reply ?? "";
    if (ackSubject === "") {
      if (inbox === this.#inbox)
        this.#act(
          inbox,
          msg.subject.slice(inbox.prefix.length),
          pullNews(readStatus(msg), readHeaders(msg)),
        );
      return;
    }
    inbox.ledger.received();
    this.#failures = 0;
    this.#options.onMessage(new Delivery(msg, ackSubject));
    if (inbox.ledger.outstanding > 0) return;
    this.#answered();
    this.#onServed?.();
    this.#refill();
  }

  #act(inbox: Inbox, token: string, news: PullNews): void {
    switch (news.kind) {
      case "alive":
        this.#failures = 0;
        return;
      case "ended":
        this.#failures = 0;
        inbox.ledger.ended(token, news.undelivered);
        if (inbox.ledger.outstanding === 0) this.#answered();
        if (news.isDry) this.#options.onRanDry?.();
        return this.#refill();
      case "interrupted":
        inbox.ledger.ended(token, news.undelivered);
        return this.#backOff();
      case "crowded":
        inbox.ledger.ended(token, undefined);
        this.#report(
          "broker-unavailable",
          "has no room for another pull. Raise its max_waiting, or run fewer nodes.",
        );
        return this.#backOff();
      case "batch-too-large":
        inbox.ledger.ended(token, undefined);
        this.#maxBatch = Math.max(1, Math.min(this.#maxBatch - 1, news.limit));
        return this.#refill();
      case "bytes-too-many":
        inbox.ledger.ended(token, undefined);
        this.#maxBytes = news.limit;
        return this.#refill();
      case "consumer-missing":
        return void this.#replaceConsumer();
      case "refused":
        inbox.ledger.ended(token, undefined);
        return this.#refused(news.description);
    }
  }

  #answered(): void {
    if (this.#unanswered === undefined) return;
    this.#unanswered?.cancel();
    this.#unanswered = undefined;
  }

  #refused(description: string): void {
    this.#report("broker-rejected", `refuses to be pulled from: ${description}.`);
    this.#backOff();
  }

  async #replaceConsumer(): Promise<void> {
    this.#retire();
    try {
      await this.#options.onConsumerMissing?.();
    } catch (cause) {
      this.#report("consumer-not-found", "is gone and could not be created again.", cause);
    }
    this.#backOff();
  }

  /**
   * Opens or refills again after a while that grows with every failure in a row, and differs
   * between nodes.
   */
  #backOff(): void {
    if (this.#phase !== "running") return;
    this.#backoff?.cancel();
    const longest = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#backoff = this.#clock.setTimer(longest / 2 + (this.#random() * longest) / 2, () => {
      this.#backoff = undefined;
      if (this.#inbox?.sub.isClosed() === true) this.#retire();
      if (this.#inbox === undefined) this.#open();
      else this.#refill();
    });
  }

  /**
   * Some pulls end without a word: one that meets its consumer's deletion half-way, and from 2.11
   * one that found no room. A stalled event loop gets one tick for all it missed, and reads its
   * socket before the next: it can't cry wolf.
   */
  #listen(): void {
    if (this.outstanding === 0) this.#silentTicks = 0;
    this.#silentTicks += 1;
    if (this.#silentTicks <= 5) return;
    this.#report("broker-unavailable", "sent no heartbeat for a pull. Pulling anew.");
    this.#retire();
    this.#open();
  }

  #observe(status: Status): void {
    if (status.type === "disconnect") {
      this.#inbox?.sub.unsubscribe();
      this.#retire();
    }
    if (status.type === "reconnect") {
      // One may have been opened while disconnected: whether its pull was sent is unknown.
      this.#retire();
      this.#open();
    }
    if (status.type === "close") void this.stop(0);
  }

  #report(
    code: "broker-unavailable" | "broker-rejected" | "consumer-not-found",
    what: string,
    cause?: unknown,
  ): void {
    this.#options.onProblem?.(
      new MillraceError(
        code,
        `Consumer ${this.#options.consumer} of stream ${this.#options.stream} ${what}`,
        { cause },
      ),
    );
  }
}
