import type { NatsConnection } from "@nats-io/nats-core";
import type { MillraceError } from "../errors.ts";
import type { Delivery } from "./delivery.ts";
import type { Pull } from "./pull-size.ts";

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
  /**
   * Nobody answered for the consumer, or its server fell silent: it was gone by `goneAtMs`, on the
   * monotonic clock. So may be the pulls of others of its stream that were not heard of since.
   */
  onGone?(goneAtMs: number): void;
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
