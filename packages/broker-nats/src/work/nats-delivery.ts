import type { Delivery, QueueMessage, SettlementStep } from "@millrace/core";
import { readWokenHeaders } from "../messages/blocked-message.ts";
import type { Delivery as RawDelivery } from "../pull/delivery.ts";
import type { QueueSubject } from "../topology/queue-subjects.ts";
import { plainBytes } from "../wire/plain-bytes.ts";
import type { NatsLease } from "./nats-lease.ts";

/** A job in a worker's hands, and where its ack goes. */
export class NatsDelivery implements Delivery {
  readonly message: QueueMessage;
  readonly deliveryCount: number;
  readonly lease: NatsLease;
  readonly ackSubject: string;
  /**
   * What the server has confirmed of a settlement that is not over. Written by the settler, which
   * does none of it again.
   */
  confirmed: readonly SettlementStep[] | undefined;

  constructor(
    raw: RawDelivery,
    { queue, origin, lane, woken, key }: QueueSubject,
    lease: NatsLease,
  ) {
    const message: { -readonly [K in keyof QueueMessage]: QueueMessage[K] } = {
      queue,
      origin,
      body: plainBytes(raw.data),
      headers: woken ? readWokenHeaders(raw.headers) : raw.headers,
      sequence: raw.streamSequence,
      storedAt: raw.publishedAtMs,
    };
    if (lane !== undefined) message.lane = lane;
    if (key !== undefined) message.key = key;
    this.message = message;
    this.deliveryCount = raw.deliveryCount;
    this.lease = lease;
    this.ackSubject = raw.ackSubject;
    this.confirmed = undefined;
  }
}
