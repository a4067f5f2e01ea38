import type { MillraceError } from "../errors.ts";

/** The reply settles nothing: the message is sent again when its turn comes. */
export const RETRY: unique symbol = Symbol("retry");

/** The same, and this copy of it certainly was not taken. */
export const LATER: unique symbol = Symbol("later");

/**
 * Nobody got the message: it is sent again when its turn comes, also where a second copy would do
 * harm.
 */
export const UNHEARD: unique symbol = Symbol("unheard");

/** What a reply means: a value, an error, or that it must be sent again. */
export type ReplyMeaning<T> = T | MillraceError | typeof RETRY | typeof LATER | typeof UNHEARD;

/** Who waits for an answer. `index` is the sender's own, passed back as it is. */
export interface Requester<T> {
  done(value: T, index: number): void;
  failed(error: MillraceError, index: number): void;
  /**
   * Why the message must not go out any more, if so: it then fails with this. Asked before it goes
   * out later than it was given, or once more; its sender asks itself before it gives it.
   */
  revoked?(index: number): MillraceError | undefined;
}

/** One message until its answer. Only the window writes to it. */
export interface InFlightRequest<T> {
  readonly subject: string;
  readonly data: Uint8Array;
  /** As `encodeHeaders` made them. */
  headers: Uint8Array | undefined;
  readonly requester: Requester<T>;
  readonly index: number;
  /** How often it was handed to the connection; 0 means the server can't have seen it. */
  sends: number;
  /** How many of the sends reached nobody. */
  unheard: number;
  /** How many of the sends were refused, but for a refusal of the newest that settles it. */
  refused: number;
  /** The newest of the sends that something was said of. */
  answered: number;
  sentTick: number;
  bornTick: number;
  /**
   * Begins the last token of its reply subjects: what was stored or answered by any attempt counts,
   * a refusal only of the newest.
   */
  token: number;
}

/** A request that was not sent yet. */
export function newRequest<T>({
  subject,
  data,
  headers,
  requester,
  index = 0,
}: Pick<InFlightRequest<T>, "subject" | "data" | "headers" | "requester"> & {
  readonly index?: number;
}): InFlightRequest<T> {
  return {
    subject,
    data,
    headers,
    requester,
    index,
    sends: 0,
    unheard: 0,
    refused: 0,
    answered: 0,
    sentTick: 0,
    bornTick: 0,
    token: 0,
  };
}

/** Gives the next request when there is room for one, until it has no more. */
export interface RequestSource<T> {
  next(): InFlightRequest<T> | undefined;
}

/** Why it must not go out any more, if so. */
export function revocationOf<T>({
  requester,
  index,
}: InFlightRequest<T>): MillraceError | undefined {
  return requester.revoked?.(index);
}
