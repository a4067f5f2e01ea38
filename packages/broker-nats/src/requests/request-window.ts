import type { Clock, Timer } from "@millrace/core";
import type { Msg, NatsConnection, Status, Subscription } from "@nats-io/nats-core";
import { PermissionViolationError } from "@nats-io/nats-core";
import { machineOf } from "../machine/machine.ts";
import { every } from "../machine/timers.ts";
import { watchConnection } from "../connection/connection-events.ts";
import { hearOn } from "../connection/hear-on.ts";
import { MillraceError } from "../errors.ts";
import { Fifo } from "../wire/fifo.ts";
import { newInbox } from "../wire/inbox.ts";
import { publishFrame } from "../wire/publish-frame.ts";
import { connectionClosed, permissionDenied, refusedByClient } from "./failures.ts";
import {
  type RequestSource,
  type InFlightRequest,
  LATER,
  RETRY,
  revocationOf,
  UNHEARD,
  type ReplyMeaning,
} from "./in-flight-request.ts";
import { Slots } from "./slots.ts";

export interface RequestWindowOptions<T> {
  /** Most requests without an answer; more wait in order. */
  readonly window: number;
  /** An answer that takes longer is asked for again. */
  readonly attemptTimeoutMs: number;
  /**
   * Whether sending again does no harm, which is the rule. Otherwise what was on its way when the
   * connection broke fails at once: the server may have it.
   */
  readonly repeatable: boolean;
  /** From being given to the window to giving up, whatever happens in between. */
  readonly timeoutMs: number;
  /** What is said when a message is sent again. Default: the same. */
  readonly headersOfCopy?: (headers: Uint8Array) => Uint8Array;
  judge(reply: Msg, request: InFlightRequest<T>): ReplyMeaning<T>;
  timedOut(request: InFlightRequest<T>): MillraceError;
  /** What is told: no answer can be heard (`isDeaf`), or the newest copy did not go out. */
  denied?(error: MillraceError, request: InFlightRequest<T>, isDeaf: boolean): MillraceError;
  /** Told of each that had no answer in its time, before it is asked for again. */
  unanswered?(request: InFlightRequest<T>): void;
}

/** What is left of a full window when it is refilled: the server never runs dry meanwhile. */
const REFILL_SHARE = 0.75;

/** Before the number of a copy, from the second on, in the last token of its reply subject. */
const COPY = "c";

type Phase = "open" | "closing" | "closed";
type Link = "up" | "down";

/**
 * Sends messages that are answered, and keeps sending each until it is: after a time without an
 * answer, and after a reconnect (each dial throws away what the connection had buffered). Whatever
 * it sends must therefore be idempotent.
 *
 * One subscription takes every answer and one timer looks after every deadline, so a message costs
 * one slot. Time is counted in ticks of that timer: an event loop that was stalled hasn't made
 * anything late before it reads its answers.
 */
export class RequestWindow<T> {
  readonly #nc: NatsConnection;
  readonly #clock: Clock;
  readonly #options: RequestWindowOptions<T>;
  readonly #prefix: string;
  readonly #sub: Subscription;
  readonly #unwatch: () => void;
  readonly #inFlight: Slots<InFlightRequest<T>>;
  readonly #waiting = new Fifo<InFlightRequest<T> | RequestSource<T>>();
  readonly #idle: (() => void)[] = [];
  readonly #tickMs: number;
  /**
   * The window is refilled when it is down to this, so that what goes out goes out together: a
   * write to the socket costs more than a message.
   */
  readonly #refillAt: number;
  #phase: Phase = "open";
  #link: Link = "up";
  #timer: Timer | undefined;
  #tick = 0;
  #closing: Promise<void> | undefined;
  /** Set when the inbox itself was refused: no answer can ever come. */
  #refused: ((request: InFlightRequest<T>) => MillraceError) | undefined;

  constructor(nc: NatsConnection, options: RequestWindowOptions<T>) {
    this.#nc = nc;
    this.#clock = machineOf(nc).clock;
    this.#options = options;
    this.#inFlight = new Slots(options.window);
    this.#tickMs = Math.max(5, Math.min(250, Math.floor(options.attemptTimeoutMs / 4)));
    this.#refillAt = Math.floor(options.window * REFILL_SHARE);
    this.#prefix = `${newInbox(nc)}.`;
    this.#sub = hearOn(nc, `${this.#prefix}*`, (error, msg) =>
      error ? this.#deny(error) : this.#answer(msg),
    );
    this.#unwatch = watchConnection(nc, (status) => this.#observe(status));
  }

  get link(): Link {
    return this.#link;
  }

  /** Sent or waiting for room. */
  get pending(): number {
    return this.#inFlight.size + this.#waiting.size;
  }

  send(request: InFlightRequest<T>): void {
    const refused = this.#refusal(request);
    if (refused !== undefined) return request.requester.failed(refused, request.index);
    request.bornTick = this.#tick;
    if (this.#inFlight.full || this.#waiting.size > 0) this.#waiting.push(request);
    else this.#start(request);
    this.#startTimer();
  }

  /** Takes requests as room appears, in turn with other senders. */
  feed(source: RequestSource<T>): void {
    this.#waiting.push(source);
    this.#fill();
    this.#startTimer();
  }

  #refusal(request: InFlightRequest<T>): MillraceError | undefined {
    return (
      this.#refused?.(request) ?? (this.#phase === "open" ? undefined : connectionClosed(request))
    );
  }

  /**
   * Settles what it holds for: for facts learnt outside the answers, such as a subject that no
   * stream has.
   */
  failWhere(
    holds: (request: InFlightRequest<T>) => boolean,
    errorOf: (request: InFlightRequest<T>) => MillraceError,
  ): void {
    for (const request of this.#inFlight.inOrder(holds)) this.#fail(request, errorOf(request));
    const waiting = this.#waiting.removeWhere(
      (item) => "token" in item && holds(item),
    ) as InFlightRequest<T>[];
    for (const request of waiting) request.requester.failed(errorOf(request), request.index);
    this.#fill();
  }

  /** Resolves when everything given so far has its answer or its error. */
  flush(): Promise<void> {
    if (this.pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Takes no more, waits for what is pending (`timeoutMs` at most), and leaves nothing behind. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#phase = "closing";
    await this.flush();
    this.#phase = "closed";
    this.#unwatch();
    this.#stopTimer();
    if (!this.#nc.isClosed()) this.#sub.unsubscribe();
  }

  #start(request: InFlightRequest<T>): void {
    this.#inFlight.put(request);
    this.#transmit(request);
  }

  #transmit(request: InFlightRequest<T>): void {
    request.sentTick = this.#tick;
    if (this.#link === "down") return;
    request.sends += 1;
    if (request.sends === 2 && request.headers !== undefined)
      request.headers = this.#options.headersOfCopy?.(request.headers) ?? request.headers;
    const { subject, data, headers, token } = request;
    try {
      const copy = request.sends === 1 ? "" : `${COPY}${request.sends}`;
      publishFrame(this.#nc, subject, data, this.#prefix + token + copy, headers);
    } catch (cause) {
      request.sends -= 1;
      this.#fail(request, refusedByClient(request, cause));
    }
  }

  #answer(msg: Msg): void {
    const [token, copy] = addresseeOf(msg.subject.slice(this.#prefix.length));
    const request = this.#inFlight.get(token);
    if (request === undefined) return;
    request.answered = Math.max(request.answered, copy);
    const meaning = this.#options.judge(msg, request);
    if (meaning instanceof MillraceError && copy < request.sends) {
      request.refused += 1;
      return this.#await(request);
    }
    if (meaning === RETRY) return;
    if (meaning === LATER) return void (request.refused += 1);
    if (meaning === UNHEARD) return void (request.unheard += 1);
    this.#inFlight.remove(request);
    if (meaning instanceof MillraceError) request.requester.failed(meaning, request.index);
    else request.requester.done(meaning, request.index);
    if (this.#waiting.size > 0 && this.#inFlight.size <= this.#refillAt) this.#fill();
    if (this.#inFlight.size === 0) this.#settleIdle();
  }

  /**
   * A refusal of one copy says nothing of the next, which is on its way: a queue that was full may
   * have room by then. A server takes the copies of a connection in their order, so the refusal of
   * the newest counts. It is given time to come before another one is sent.
   */
  #await(request: InFlightRequest<T>): void {
    request.sentTick = this.#tick + Math.ceil(this.#options.attemptTimeoutMs / this.#tickMs);
  }

  #fill(): void {
    while (!this.#inFlight.full) {
      const item = this.#waiting.shift();
      if (item === undefined) break;
      if ("token" in item) {
        const revoked = revocationOf(item);
        if (revoked === undefined) this.#start(item);
        else item.requester.failed(revoked, item.index);
        continue;
      }
      const request = item.next();
      if (request === undefined) continue;
      this.#waiting.push(item);
      request.bornTick = this.#tick;
      const refused =
        this.#phase === "closed"
          ? connectionClosed(request)
          : (this.#refused?.(request) ?? revocationOf(request));
      if (refused === undefined) this.#start(request);
      else request.requester.failed(refused, request.index);
    }
    if (this.#inFlight.size === 0) this.#settleIdle();
  }

  #fail(request: InFlightRequest<T>, error: MillraceError): void {
    this.#inFlight.remove(request);
    request.requester.failed(error, request.index);
  }

  #mayRepeat({ sends, unheard }: InFlightRequest<T>): boolean {
    return this.#options.repeatable || sends === unheard;
  }

  /**
   * A message that was revoked meanwhile is not sent again: another may have acted in its sender's
   * place.
   */
  #transmitAgain(request: InFlightRequest<T>): void {
    const revoked = revocationOf(request);
    if (revoked === undefined) this.#transmit(request);
    else this.#fail(request, revoked);
  }

  #observe(status: Status): void {
    if (status.type === "disconnect") this.#link = "down";
    if (status.type === "reconnect") this.#resume();
    if (status.type === "close") this.#abandon();
    if (status.type === "error" && status.error instanceof PermissionViolationError)
      this.#deny(status.error);
  }

  #resume(): void {
    this.#link = "up";
    for (const request of this.#inFlight.inOrder(() => true)) {
      if (this.#mayRepeat(request)) this.#transmitAgain(request);
      else this.#fail(request, this.#options.timedOut(request));
    }
  }

  /** The connection is closed for good: nothing more can be sent or answered. */
  #abandon(): void {
    this.#phase = "closed";
    this.#unwatch();
    this.#stopTimer();
    this.failWhere(() => true, connectionClosed);
  }

  #deny(error: Error): void {
    const { operation, subject } =
      error instanceof PermissionViolationError ? error : ({} as Partial<PermissionViolationError>);
    const own = operation === "subscription" && subject?.startsWith(this.#prefix) === true;
    const action = own ? `subscribe to ${this.#prefix}*` : `publish to ${subject}`;
    const denied = permissionDenied(error, action);
    const errorOf = (request: InFlightRequest<T>): MillraceError =>
      this.#options.denied?.(denied, request, own) ?? denied;
    if (own) this.#refused = errorOf;
    this.failWhere((request) => own || request.subject === subject, errorOf);
  }

  #sweep(): void {
    this.#tick += 1;
    const bornBefore = this.#tick - Math.ceil(this.#options.timeoutMs / this.#tickMs);
    const sentBefore = this.#tick - Math.ceil(this.#options.attemptTimeoutMs / this.#tickMs);
    const isDue = (request: InFlightRequest<T>): boolean =>
      request.bornTick < bornBefore ||
      request.sentTick < sentBefore ||
      revocationOf(request) !== undefined;
    // What is sent again keeps its order, so that a queue does too where it can.
    for (const request of this.#inFlight.inOrder(isDue)) {
      if (request.bornTick < bornBefore) this.#fail(request, this.#failureOf(request));
      else {
        if (request.sentTick < sentBefore && this.#link === "up")
          this.#options.unanswered?.(request);
        if (this.#mayRepeat(request)) this.#transmitAgain(request);
      }
    }
    const late = this.#waiting.removeWhere(
      (item) => "token" in item && (item.bornTick < bornBefore || revocationOf(item) !== undefined),
    ) as InFlightRequest<T>[];
    for (const request of late) request.requester.failed(this.#failureOf(request), request.index);
    this.#fill();
    if (this.pending === 0) this.#stopTimer();
  }

  #failureOf(request: InFlightRequest<T>): MillraceError {
    return revocationOf(request) ?? this.#options.timedOut(request);
  }

  #settleIdle(): void {
    if (this.pending > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #startTimer(): void {
    if (this.#timer === undefined && this.pending > 0)
      this.#timer = every(this.#clock, this.#tickMs, () => this.#sweep());
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

/** @returns the token of its request, and which of the copies is answered */
function addresseeOf(last: string): readonly [token: number, copy: number] {
  const at = last.indexOf(COPY);
  return at === -1 ? [Number(last), 1] : [Number(last.slice(0, at)), Number(last.slice(at + 1))];
}
