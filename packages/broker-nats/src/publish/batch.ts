import { MillraceError } from "../errors.ts";
import type { RequestSource, InFlightRequest, Requester } from "../requests/in-flight-request.ts";
import type { HeaderRecord } from "../wire/headers.ts";
import type { PubAck } from "./pub-ack.ts";

/**
 * A message to store. Its `Nats-Msg-Id` is what makes a retry store it once; one without may be
 * stored twice, and is only for what a second copy does no harm.
 */
export interface OutgoingMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** As a record, or as the bytes that `encodeHeaders` made of one. */
  readonly headers: HeaderRecord | Uint8Array | undefined;
}

/** A message whose headers can still be added to. */
export interface EditableMessage extends OutgoingMessage {
  readonly headers: HeaderRecord;
}

export type PublishOutcome =
  | { readonly kind: "stored"; readonly ack: PubAck }
  | { readonly kind: "failed"; readonly error: MillraceError };

type Source =
  | { readonly kind: "more" }
  | { readonly kind: "ended" }
  | { readonly kind: "threw"; readonly error: unknown };

/**
 * What a caller makes of each outcome; called once for every item given, with its place among them.
 */
export type OutcomeReader<Result> = {
  readonly stored: (ack: PubAck, index: number) => Result;
  readonly failed: (error: MillraceError, index: number) => Result;
};

export const AS_OUTCOME: OutcomeReader<PublishOutcome> = {
  stored: (ack) => ({ kind: "stored", ack }),
  failed: (error) => ({ kind: "failed", error }),
};

/**
 * One `publishMany`: gives its items as there is room, and collects an outcome for each without a
 * promise for each.
 */
export class Batch<Result> implements RequestSource<PubAck>, Requester<PubAck> {
  readonly #items: Iterator<OutgoingMessage>;
  readonly #requestOf: (
    item: OutgoingMessage,
    requester: Requester<PubAck>,
    index: number,
  ) => InFlightRequest<PubAck>;
  readonly #reader: OutcomeReader<Result>;
  readonly #resolve: (outcomes: Result[]) => void;
  readonly #reject: (error: unknown) => void;
  readonly #outcomes: Result[] = [];
  #source: Source = { kind: "more" };
  #revoked = false;
  #given = 0;
  #settled = 0;

  constructor(
    items: Iterator<OutgoingMessage>,
    requestOf: (
      item: OutgoingMessage,
      requester: Requester<PubAck>,
      index: number,
    ) => InFlightRequest<PubAck>,
    reader: OutcomeReader<Result>,
    resolve: (outcomes: Result[]) => void,
    reject: (error: unknown) => void,
  ) {
    this.#items = items;
    this.#requestOf = requestOf;
    this.#reader = reader;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Nothing of it goes out any more. */
  revoke(): void {
    this.#revoked = true;
  }

  revoked(): MillraceError | undefined {
    return this.#revoked
      ? new MillraceError(
          "publish-timeout",
          "Told to stop before the message was sent: it is not stored.",
        )
      : undefined;
  }

  next(): InFlightRequest<PubAck> | undefined {
    while (this.#source.kind === "more") {
      const item = this.#pull();
      if (item === undefined) break;
      const index = this.#given++;
      try {
        return this.#requestOf(item, this, index);
      } catch (error) {
        this.failed(unsendable(error), index);
      }
    }
    this.#finishWhenSettled();
    return undefined;
  }

  done(ack: PubAck, index: number): void {
    this.#settle(this.#reader.stored(ack, index), index);
  }

  failed(error: MillraceError, index: number): void {
    this.#settle(this.#reader.failed(error, index), index);
  }

  #pull(): OutgoingMessage | undefined {
    try {
      const item = this.#items.next();
      if (item.done !== true) return item.value;
      this.#source = { kind: "ended" };
    } catch (error) {
      this.#source = { kind: "threw", error };
    }
    return undefined;
  }

  #settle(outcome: Result, index: number): void {
    this.#outcomes[index] = outcome;
    this.#settled += 1;
    this.#finishWhenSettled();
  }

  #finishWhenSettled(): void {
    if (this.#source.kind === "more" || this.#settled < this.#given) return;
    if (this.#source.kind === "threw") this.#reject(this.#source.error);
    else this.#resolve(this.#outcomes);
  }
}

function unsendable(error: unknown): MillraceError {
  return error instanceof MillraceError
    ? error
    : new MillraceError("invalid-message", `The message can't be sent: ${String(error)}`, {
        cause: error,
      });
}
