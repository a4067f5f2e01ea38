import type { MillraceError } from "../errors.ts";

/** The reply settles nothing: the message is sent again when its turn comes. */
export const RETRY: unique symbol = Symbol("retry");

/**
 * Nobody got the message: it is sent again when its turn comes, also where a second copy would do
 * harm.
 */
export const UNHEARD: unique symbol = Symbol("unheard");

/** What a reply means: a value, an error, or that it must be sent again. */
export type Verdict<T> = T | MillraceError | typeof RETRY | typeof UNHEARD;

/** Who waits for an answer. `index` is the sender's own, passed back as it is. */
export interface Sink<T> {
  done(value: T, index: number): void;
  failed(error: MillraceError, index: number): void;
  /**
   * Why the message must not go out any more, if so: it then fails with this. Asked before it goes
   * out later than it was given, or once more; its sender asks itself before it gives it.
   */
  revoked?(index: number): MillraceError | undefined;
}

/** One message until its answer. Only the exchange writes to it. */
export interface Parcel<T> {
  readonly subject: string;
  readonly data: Uint8Array;
  /** As `encodeHeaders` made them. */
  headers: Uint8Array | undefined;
  readonly sink: Sink<T>;
  readonly index: number;
  /** How often it was handed to the connection; 0 means the server can't have seen it. */
  attempts: number;
  /** How many of the attempts reached nobody. */
  unheard: number;
  sentTick: number;
  bornTick: number;
  /**
   * Begins the last token of its reply subjects: what was stored or answered by any attempt counts,
   * a refusal only of the newest.
   */
  token: number;
}

/** A parcel that was not sent yet. */
export function newParcel<T>({
  subject,
  data,
  headers,
  sink,
  index = 0,
}: Pick<Parcel<T>, "subject" | "data" | "headers" | "sink"> & {
  readonly index?: number;
}): Parcel<T> {
  return {
    subject,
    data,
    headers,
    sink,
    index,
    attempts: 0,
    unheard: 0,
    sentTick: 0,
    bornTick: 0,
    token: 0,
  };
}

/** Gives the next parcel when there is room for one, until it has no more. */
export interface Feeder<T> {
  next(): Parcel<T> | undefined;
}

/** Why it must not go out any more, if so. */
export function revocationOf<T>({ sink, index }: Parcel<T>): MillraceError | undefined {
  return sink.revoked?.(index);
}
