import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { ELECTIONS_MS, isClustered } from "../connection/retrying-requests.ts";
import { MillraceError } from "../errors.ts";
import { RequestWindow } from "../requests/request-window.ts";
import {
  newRequest,
  type InFlightRequest,
  type Requester,
  RETRY,
  UNHEARD,
  type ReplyMeaning,
} from "../requests/in-flight-request.ts";
import { encodeHeaders } from "../wire/headers.ts";
import { isNoResponders } from "../wire/no-responders.ts";
import {
  AS_OUTCOME,
  Batch,
  type OutcomeReader,
  type OutgoingMessage,
  type PublishOutcome,
} from "./batch.ts";
import { headersOfCopy } from "./first-copy.ts";
import { isNotAgreedOn, judgePubAck, type PubAck } from "./pub-ack.ts";
import {
  jetStreamGone,
  publishTimeout,
  queueNotFound,
  refusalOf,
  unansweredOf,
  unlessStored,
  unlessUnheard,
} from "./publish-failures.ts";
import { lookUpStream } from "./stream-lookup.ts";

export interface ConfirmedPublisherOptions {
  /** Most messages without an acknowledgement; further callers wait in order. Default 1,024. */
  readonly window?: number;
  /** A message whose acknowledgement takes longer is sent again with the same id. Default 2,000. */
  readonly attemptTimeoutMs?: number;
  /** False for a compare-and-set, which would be refused for its own first copy. Default true. */
  readonly repeatable?: boolean;
  /**
   * True for who reads anew after each `conflict`, and decides again where nothing has changed: a
   * write that is refused because of one that no majority has confirmed fails at once. Else that is
   * waited for, so that a `conflict` proves that a message lies on the subject. Default false.
   */
  readonly tellsUndecided?: boolean;
  /**
   * What no stream takes is told soon, also where somebody else listens to its subject, of subjects
   * that begin so: streams of such subjects that this connection can reach lie in its own account,
   * if one of them does. Left out: silence tells nothing. A stream in another account can't be
   * asked about, and may have stored what was sent.
   */
  readonly namespace?: string;
  /** From the call to `publish-timeout`, waiting for room and outages included. Default 30,000. */
  readonly timeoutMs?: number;
}

/**
 * Publishes to JetStream and confirms every message, many in flight on one inbox.
 *
 * Errors are `MillraceError`s: `queue-not-found`, `queue-full`, `payload-too-large`,
 * `permission-denied`, `jetstream-disabled`, `broker-unavailable`, `broker-rejected`, `conflict`
 * (an expected sequence), `invalid-header`, `connection-closed`, and `publish-timeout`, after which
 * the message may or may not be stored.
 *
 * @example
 * const publisher = new ConfirmedPublisher(nc);
 * const { sequence } = await publisher.publish("millrace.jobs.mail", body, { "Nats-Msg-Id": id });
 */
export class ConfirmedPublisher {
  readonly #nc: NatsConnection;
  readonly #window: RequestWindow<PubAck>;
  /** A message that was sent to nobody so often has waited for longer than elections take. */
  readonly #unheardAtMost: number;
  /** Subjects that nobody answered for, being looked up. */
  readonly #lookups = new Set<string>();
  /** Subjects that nobody said anything of, being looked up one after another. */
  readonly #silent = new Set<string>();
  readonly #tellsUndecided: boolean;
  readonly #namespace: string | undefined;

  constructor(nc: NatsConnection, options: ConfirmedPublisherOptions = {}) {
    this.#nc = nc;
    this.#tellsUndecided = options.tellsUndecided ?? false;
    this.#namespace = options.namespace;
    const attemptTimeoutMs = options.attemptTimeoutMs ?? 2_000;
    this.#unheardAtMost = Math.ceil(ELECTIONS_MS / attemptTimeoutMs);
    this.#window = new RequestWindow<PubAck>(nc, {
      window: options.window ?? 1_024,
      attemptTimeoutMs,
      timeoutMs: options.timeoutMs ?? 30_000,
      repeatable: options.repeatable ?? true,
      headersOfCopy,
      judge: (reply, request) => this.#judge(reply, request),
      timedOut: (request) => publishTimeout(request, this.#isDown()),
      // Earlier copies were sent when it still might.
      denied: (error, request, isDeaf) =>
        isDeaf
          ? unlessUnheard(error, request)
          : unlessStored(error, request, Math.max(0, unansweredOf(request) - 1)),
      unanswered: ({ subject, unheard }) => {
        if (unheard === 0) this.#lookUpSilent(subject);
      },
    });
  }

  /** Messages given and not yet confirmed. */
  get pending(): number {
    return this.#window.pending;
  }

  /** @param revoked why it must not go out any more, if so: see `Requester` */
  publish(
    subject: string,
    data: Uint8Array,
    headers: OutgoingMessage["headers"],
    revoked?: () => MillraceError | undefined,
  ): Promise<PubAck> {
    const refused = revoked?.();
    if (refused !== undefined) return Promise.reject(refused);
    return new Promise((resolve, reject) => {
      const requester = { done: resolve, failed: reject };
      this.send(
        { subject, data, headers },
        revoked === undefined ? requester : { ...requester, revoked },
        0,
      );
    });
  }

  /**
   * The same for callers that need no promise.
   *
   * @param index passed back with the outcome
   * @throws MillraceError `payload-too-large`, `invalid-header`: then the requester hears nothing
   */
  send(publication: OutgoingMessage, requester: Requester<PubAck>, index: number): void {
    this.#window.send(this.request(publication, requester, index));
  }

  /** Sends what `request` made. */
  give(request: InFlightRequest<PubAck>): void {
    this.#window.send(request);
  }

  /**
   * Publishes everything the iterable yields, taking items only as the window has room, and gives
   * one outcome for each in its order. Rejects only with what the iterable itself throws, once
   * everything it had given before is settled.
   *
   * @param signal once it is aborted nothing goes out any more, and what is not confirmed has
   *   failed
   */
  publishMany(items: Iterable<OutgoingMessage>): Promise<PublishOutcome[]>;
  publishMany<Result>(
    items: Iterable<OutgoingMessage>,
    reader: OutcomeReader<Result>,
    signal?: AbortSignal,
  ): Promise<Result[]>;
  publishMany(
    items: Iterable<OutgoingMessage>,
    reader: OutcomeReader<unknown> = AS_OUTCOME,
    signal?: AbortSignal,
  ): Promise<unknown[]> {
    if (signal !== undefined) return this.#publishUntil(signal, items, reader);
    return new Promise((resolve, reject) => {
      this.#window.feed(
        new Batch(items[Symbol.iterator](), this.#requestOf, reader, resolve, reject),
      );
    });
  }

  async #publishUntil(
    signal: AbortSignal,
    items: Iterable<OutgoingMessage>,
    reader: OutcomeReader<unknown>,
  ): Promise<unknown[]> {
    let abort = (): void => {};
    try {
      return await new Promise((resolve, reject) => {
        const batch = new Batch(items[Symbol.iterator](), this.#requestOf, reader, resolve, reject);
        abort = () => {
          batch.revoke();
          this.#window.failWhere(
            ({ requester }) => requester === batch,
            (request) => publishTimeout(request, this.#isDown()),
          );
        };
        if (signal.aborted) batch.revoke();
        else signal.addEventListener("abort", abort, { once: true });
        this.#window.feed(batch);
      });
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  #isDown(): boolean {
    return this.#window.link === "down";
  }

  /** Resolves when everything given so far is confirmed or failed. */
  flush(): Promise<void> {
    return this.#window.flush();
  }

  /**
   * Takes no more messages, waits for those it has, and lets go of its inbox and timer. Safe to
   * call again.
   */
  close(): Promise<void> {
    return this.#window.close();
  }

  readonly #requestOf = (
    item: OutgoingMessage,
    requester: Requester<PubAck>,
    index: number,
  ): InFlightRequest<PubAck> => this.request(item, requester, index);

  /** @throws MillraceError `payload-too-large`, `invalid-header` */
  request(
    { subject, data, headers }: OutgoingMessage,
    requester: Requester<PubAck>,
    index: number,
  ): InFlightRequest<PubAck> {
    const encoded =
      headers === undefined || headers instanceof Uint8Array ? headers : encodeHeaders(headers);
    const size = (encoded?.length ?? 0) + data.length;
    const maxPayload = this.#nc.info?.max_payload ?? Number.POSITIVE_INFINITY;
    if (size > maxPayload) {
      throw new MillraceError(
        "payload-too-large",
        `A message of ${size} bytes exceeds the server's max_payload of ${maxPayload}. Send a reference to the data instead, or raise max_payload.`,
      );
    }
    return newRequest({ subject, data, headers: encoded, requester, index });
  }

  #judge(reply: Msg, request: InFlightRequest<PubAck>): ReplyMeaning<PubAck> {
    if (reply.data.length > 0) {
      const said = judgePubAck(reply, request.subject, request.sends);
      const meaning = said instanceof MillraceError ? refusalOf(said, request) : said;
      return !this.#tellsUndecided && isNotAgreedOn(meaning) ? RETRY : meaning;
    }
    if (isNoResponders(reply)) {
      void this.#lookUp(request.subject);
      return UNHEARD;
    }
    return new MillraceError(
      "broker-rejected",
      `The empty answer for ${request.subject} is no JetStream acknowledgement. Something else subscribes to this subject.`,
    );
  }

  /**
   * Where somebody else subscribes to a subject, the server does not say that no stream takes it.
   * One of many that exists tells that the server is slow; the others are not looked up then.
   */
  #lookUpSilent(subject: string): void {
    if (this.#namespace === undefined || !subject.startsWith(`${this.#namespace}.`)) return;
    const isLooking = this.#silent.size > 0;
    this.#silent.add(subject);
    if (!isLooking) void this.#lookUpAllSilent();
  }

  async #lookUpAllSilent(): Promise<void> {
    const isOwn = (await lookUpStream(this.#nc, `${this.#namespace}.>`)) === "exists";
    for (const subject of this.#silent) {
      if (!isOwn || (await lookUpStream(this.#nc, subject)) !== "absent") break;
      this.#window.failWhere(
        (request) => request.subject === subject && request.sends > 0,
        () => queueNotFound(subject),
      );
    }
    this.#silent.clear();
  }

  /**
   * Nobody listens: either there is no such queue, or its stream has no leader at the moment and
   * the message waits.
   */
  async #lookUp(subject: string): Promise<void> {
    if (this.#lookups.has(subject)) return;
    this.#lookups.add(subject);
    const found = await lookUpStream(this.#nc, subject);
    this.#lookups.delete(subject);
    const error =
      found === "absent" || found === "not-permitted"
        ? queueNotFound(subject)
        : found === "no-jetstream"
          ? jetStreamGone()
          : undefined;
    if (error === undefined) return;
    // Without the permission to ask, no such queue is the plainest explanation of silence; in a
    // cluster only of one that outlasts elections.
    const unheard = found === "not-permitted" && isClustered(this.#nc) ? this.#unheardAtMost : 0;
    this.#window.failWhere(
      // One whose newest copy is under way hears of that one what became of it: it may have been
      // stored before the stream closed.
      (request) =>
        request.subject === subject &&
        request.sends > 0 &&
        request.answered === request.sends &&
        request.unheard >= unheard,
      (request) => unlessStored(error, request, unansweredOf(request)),
    );
  }
}
