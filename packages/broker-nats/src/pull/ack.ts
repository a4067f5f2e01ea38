import type { NatsConnection } from "@nats-io/nats-core";
import { publishFrame } from "../wire/publish-frame.ts";

const encoder = new TextEncoder();
const ACK = encoder.encode("+ACK");
const NAK = encoder.encode("-NAK");

/** Done, sent and forgotten: when it is lost, the message comes again after `ack_wait`. */
export function ack(nc: NatsConnection, ackSubject: string): void {
  publishFrame(nc, ackSubject, ACK, "");
}

/**
 * Gives the message back. A delay holds its place in `max_ack_pending` until it has passed; it is
 * sent as whole nanoseconds, because the server reads a fraction as no delay at all.
 */
export function nak(nc: NatsConnection, ackSubject: string, delayMs = 0): void {
  nc.publish(ackSubject, delayMs > 0 ? encoder.encode(`-NAK {"delay":${delayNs(delayMs)}}`) : NAK);
}

/** Whole nanoseconds without a float between: 2^53 ns are only 104 days. */
function delayNs(delayMs: number): string {
  return `${Math.max(1, Math.round(delayMs * 1_000))}000`;
}
