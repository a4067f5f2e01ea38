import type { Msg } from "@nats-io/nats-core";
import { readHeaders, type ReceivedHeaders } from "../wire/read-headers.ts";
import { type AckSubject, parseAckSubject } from "./ack-subject.ts";

const UNREADABLE: AckSubject = Object.freeze({
  deliveryCount: 0,
  streamSequence: 0,
  consumerSequence: 0,
  publishedAtMs: 0,
  pending: 0,
});

/**
 * One message handed out by a consumer. Everything but its ack subject is read when first asked
 * for.
 */
export class Delivery {
  /** What identifies this handing-out towards the server: acks, naks and extensions go here. */
  readonly ackSubject: string;
  readonly #msg: Msg;
  #headers: ReceivedHeaders | undefined;
  #parsed: AckSubject | undefined;

  constructor(msg: Msg, ackSubject: string) {
    this.#msg = msg;
    this.ackSubject = ackSubject;
  }

  get data(): Uint8Array {
    return this.#msg.data;
  }

  /** By lower-case name; of a repeated header the first value. */
  get headers(): ReceivedHeaders {
    this.#headers ??= readHeaders(this.#msg);
    return this.#headers;
  }

  get subject(): string {
    return this.#msg.subject;
  }

  get streamSequence(): number {
    return this.#meta.streamSequence;
  }

  get consumerSequence(): number {
    return this.#meta.consumerSequence;
  }

  /** How often it was handed out, this time included. A NAK counts as well as a crash. */
  get deliveryCount(): number {
    return this.#meta.deliveryCount;
  }

  /** When the stream stored it: the server's clock. */
  get publishedAtMs(): number {
    return this.#meta.publishedAtMs;
  }

  /** Messages that wait behind it in the consumer. */
  get pending(): number {
    return this.#meta.pending;
  }

  get #meta(): AckSubject {
    this.#parsed ??= parseAckSubject(this.ackSubject) ?? UNREADABLE;
    return this.#parsed;
  }
}
