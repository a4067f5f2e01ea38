import type { Clock, Timer } from "@millrace/core";
import type { Msg, NatsConnection, Status } from "@nats-io/nats-core";
import { machineOf } from "../machine/machine.ts";
import { watchConnection } from "../connection/connection-events.ts";
import { readHeaders, readStatus } from "../wire/read-headers.ts";
import { Backoff, ELECTION_MS } from "./backoff.ts";
import { ConsumerLook } from "./consumer-look.ts";
import { Delivery } from "./delivery.ts";
import { PullInbox } from "./pull-inbox.ts";
import { type PullProblem, pullProblem } from "./pull-problem.ts";
import { pullRequest } from "./pull-request.ts";
import { AT_ONCE, type Pull, pullFor } from "./pull-size.ts";
import type { PullSubscriptionOptions } from "./pull-subscription-options.ts";
import { type PullNews, pullNews } from "./pull-status.ts";
import { Signal } from "./signal.ts";
import { SilenceWatch } from "./silence-watch.ts";

/**
 * `running`: has an inbox while the connection is up, and pulls. `paused`: neither inbox nor pulls,
 * until `resume`. `stopped`: the same for good.
 */
type Phase = "running" | "paused" | "stopped";

/** How long a stop lets pulls be served: a stream with a backlog takes a fraction of it. */
export const SERVING_MS = 50;

/**
 * Pulls from a durable consumer what its owner's plan says (for the lanes of a queue:
 * `work/lane-plan.ts`). While slots are free a pull is always outstanding: a new message is one hop
 * away.
 *
 * The owner calls `slotFreed` whenever a slot becomes free. Refills are batched: one pull for a
 * quarter of the free slots, or as soon as nothing is on its way.
 */
export class PullSubscription {
  readonly #options: PullSubscriptionOptions;
  readonly #nc: NatsConnection;
  readonly #clock: Clock;
  readonly #expiresMs: number;
  readonly #heartbeatMs: number;
  readonly #apiSubject: string;
  readonly #plan: (outstanding: number) => Pull | undefined;
  readonly #unwatch: () => void;
  readonly #backoff: Backoff;
  readonly #silence: SilenceWatch;
  readonly #look: ConsumerLook;
  /** All that was asked for has come. */
  readonly #served: Signal;
  readonly #drains = new Set<Promise<void>>();
  #phase: Phase = "running";
  #inbox: PullInbox | undefined;
  #lastPull = 0;
  #maxBatch = 1_000;
  /** The consumer's own limit, once it said so. */
  #maxBytes = Number.POSITIVE_INFINITY;
  #due: NodeJS.Immediate | undefined;
  #unanswered: Timer | undefined;
  #stopping: Promise<void> | undefined;
  #lastActivityMs: number;

  constructor(options: PullSubscriptionOptions) {
    this.#options = options;
    this.#nc = options.nc;
    const { clock, random } = machineOf(options.nc);
    this.#clock = clock;
    this.#backoff = new Backoff(clock, random);
    this.#served = new Signal(clock);
    this.#look = new ConsumerLook(options);
    this.#lastActivityMs = clock.monotonic();
    this.#expiresMs = options.expiresMs ?? 30_000;
    this.#heartbeatMs = Math.min(options.heartbeatMs ?? 2_000, this.#expiresMs / 2);
    this.#silence = new SilenceWatch({
      clock,
      heartbeatMs: this.#heartbeatMs,
      dueAtMs: () => this.#inbox?.ledger.dueAtMs,
      onSilence: (goneAtMs, missing) => {
        const what = `sent no ${missing} ${missing === "end" ? "of" : "for"} a pull. Pulling anew.`;
        this.#report("broker-unavailable", what);
        this.askAnew();
        options.onGone?.(goneAtMs);
      },
    });
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
    if (this.#options.freeSlots() - inbox.ledger.outstanding >= AT_ONCE) this.#refill();
    // Slots freed in the same turn of the event loop share a pull.
    else
      this.#due ??= setImmediate(() => {
        this.#due = undefined;
        this.#refill();
      });
  }

  /** Asks the plan now. Opens what was withdrawn. */
  refill(): void {
    if (this.#inbox === undefined && !this.#backoff.isWaiting) this.#open();
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

  /** What was asked for may be lost: it is asked for in place of that, by a new inbox. */
  askAnew(): void {
    if (this.outstanding === 0 || !this.#mayAsk()) return;
    this.#retire();
    this.#open();
  }

  /**
   * Pulls no more until `resume`. Resolves when everything on its way has been handed over. As with
   * `stop`, pulls that are being served are first left a moment.
   */
  async pause(): Promise<void> {
    if (this.#phase === "running") this.#phase = "paused";
    if (this.outstanding > 0 && !this.#nc.isClosed()) await this.#served.within(SERVING_MS);
    // Resumed meanwhile, it goes on with the inbox it has.
    if (this.#mayAsk()) return;
    this.#retire();
    await Promise.all(this.#drains);
  }

  #mayAsk(): boolean {
    return this.#phase === "running" && !this.#nc.isClosed() && !this.#nc.isDraining();
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
    if (this.outstanding > 0 && deadlineMs > 0 && !this.#nc.isClosed())
      await this.#served.within(SERVING_MS);
    this.#unwatch();
    this.#retire();
    await Promise.race([Promise.all(this.#drains), deadline.promise]);
    timer.cancel();
  }

  #open(): void {
    if (this.#inbox !== undefined || !this.#mayAsk()) return;
    const inbox = new PullInbox(this.#nc, (error, msg) =>
      error ? this.#refused(String(error)) : this.#receive(inbox, msg),
    );
    this.#inbox = inbox;
    this.#silence.start();
    this.#refill();
  }

  /**
   * Lets go of the inbox: the server drops its pulls and takes back what it could not deliver; what
   * is on the wire is handed over.
   */
  #retire(): void {
    this.#backoff.cancel();
    this.#unanswered?.cancel();
    this.#silence.stop();
    clearImmediate(this.#due);
    this.#unanswered = undefined;
    this.#due = undefined;
    const inbox = this.#inbox;
    this.#inbox = undefined;
    if (inbox === undefined || inbox.isClosed || this.#nc.isClosed()) return;
    const drained = inbox.drain();
    this.#drains.add(drained);
    void drained.finally(() => this.#drains.delete(drained));
  }

  #refill(): void {
    const inbox = this.#inbox;
    if (inbox === undefined || this.#backoff.isWaiting || !this.#mayAsk()) return;
    const { outstanding } = inbox.ledger;
    const pull = this.#plan(outstanding);
    if (pull === undefined) return;
    this.#ask(inbox, pull);
  }

  #ask(inbox: PullInbox, pull: Pull): void {
    const asked = pullRequest(pull, {
      maxBatch: this.#maxBatch,
      maxBytes: this.#maxBytes,
      maxPayload: this.#nc.info?.max_payload ?? 2 ** 20,
      freeBytes: this.#options.freeBytes?.(),
      expiresMs: this.#expiresMs,
      heartbeatMs: this.#heartbeatMs,
    });
    const token = String(++this.#lastPull);
    const nowMs = this.#clock.monotonic();
    this.#silence.asked(asked.overAfterMs, inbox.ledger.outstanding === 0);
    inbox.ledger.asked(token, asked.batch, nowMs, nowMs + asked.overAfterMs);
    if (pull.noWait === true)
      this.#unanswered ??= this.#clock.setTimer(asked.overAfterMs, () => this.#giveUpWaiting());
    this.#nc.publish(this.#apiSubject, asked.body, { reply: inbox.prefix + token });
  }

  #giveUpWaiting(): void {
    this.#unanswered = undefined;
    if (this.outstanding === 0 || this.#phase !== "running") return;
    this.#retire();
    this.#options.onRanDry?.();
    this.#open();
  }

  #receive(inbox: PullInbox, msg: Msg): void {
    this.#silence.broken();
    this.#lastActivityMs = this.#clock.monotonic();
    const ackSubject = msg.reply ?? "";
    if (ackSubject === "") {
      if (inbox !== this.#inbox) return;
      const token = msg.subject.slice(inbox.prefix.length);
      return this.#act(inbox, token, pullNews(readStatus(msg), readHeaders(msg)));
    }
    inbox.ledger.received();
    this.#backoff.reset();
    this.#options.onMessage(new Delivery(msg, ackSubject));
    if (inbox.ledger.outstanding > 0) return;
    this.#answered();
    this.#served.give();
    this.#refill();
  }

  #act(inbox: PullInbox, token: string, news: PullNews): void {
    switch (news.kind) {
      case "alive":
        return this.#backoff.reset();
      case "ended":
        this.#backoff.reset();
        inbox.ledger.ended(token, news.undelivered);
        if (inbox.ledger.outstanding === 0) this.#answered();
        if (news.isDry) this.#options.onRanDry?.();
        return this.#refill();
      case "interrupted":
        inbox.ledger.ended(token, news.undelivered);
        return this.#backOff(ELECTION_MS);
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
        return void this.#replaceConsumer(news.isCertain);
      case "refused":
        inbox.ledger.ended(token, undefined);
        return this.#refused(news.description);
    }
  }

  #answered(): void {
    this.#unanswered?.cancel();
    this.#unanswered = undefined;
  }

  #refused(description: string): void {
    this.#report("broker-rejected", `refuses to be pulled from: ${description}.`);
    this.#backOff();
  }

  /** One that nobody answers for may have a new leader soon: it is asked again meanwhile. */
  async #replaceConsumer(isCertain: boolean): Promise<void> {
    this.#retire();
    const isNews = !isCertain && !this.#look.isUnderWay;
    const look = this.#look.begin(isCertain);
    if (isCertain) await look;
    this.#backOff(isCertain ? undefined : ELECTION_MS);
    if (isNews) this.#options.onGone?.(this.#clock.monotonic());
  }

  /** Opens or refills again after a while. */
  #backOff(longestMs?: number): void {
    if (this.#phase !== "running") return;
    this.#backoff.wait(() => {
      if (this.#inbox?.isClosed === true) this.#retire();
      if (this.#inbox === undefined) this.#open();
      else this.#refill();
    }, longestMs);
  }

  #observe(status: Status): void {
    if (status.type === "disconnect") {
      this.#inbox?.close();
      this.#retire();
    }
    if (status.type === "reconnect") {
      // One may have been opened while disconnected: whether its pull was sent is unknown.
      this.#retire();
      this.#open();
    }
    if (status.type === "close") void this.stop(0);
  }

  #report(code: PullProblem, what: string): void {
    this.#options.onProblem?.(pullProblem(this.#options, code, what));
  }
}
