import type { NatsConnection } from "@nats-io/nats-core";
import { MillraceError } from "../errors.ts";
import { RequestWindow } from "../requests/request-window.ts";
import { newRequest } from "../requests/in-flight-request.ts";
import { publishFrame } from "../wire/publish-frame.ts";
import { readStatus } from "../wire/read-headers.ts";

const encoder = new TextEncoder();
const ACK = encoder.encode("+ACK");
const NAK = encoder.encode("-NAK");
const WORKING = encoder.encode("+WPI");

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

/** Starts the lease anew, unconfirmed. `LeaseKeeper` is what keeps a lease. */
export function working(nc: NatsConnection, ackSubject: string): void {
  nc.publish(ackSubject, WORKING);
}

/** Whole nanoseconds without a float between: 2^53 ns are only 104 days. */
export function delayNs(delayMs: number): string {
  return `${Math.max(1, Math.round(delayMs * 1_000))}000`;
}

export interface ConfirmedAckerOptions {
  /** Most acks without an answer; further ones wait in order. Default 1,024. */
  readonly window?: number;
  /** An answer that takes longer is asked for again. Default 1,000. */
  readonly attemptTimeoutMs?: number;
  /** From the call to `ack-timeout`. Default 10,000. */
  readonly timeoutMs?: number;
}

/**
 * Acks whose arrival the server confirms: for what must not come back once something else has been
 * published for it.
 */
export class ConfirmedAcker {
  readonly #window: RequestWindow<void>;

  constructor(nc: NatsConnection, options: ConfirmedAckerOptions = {}) {
    this.#window = new RequestWindow<void>(nc, {
      repeatable: true,
      window: options.window ?? 1_024,
      attemptTimeoutMs: options.attemptTimeoutMs ?? 1_000,
      timeoutMs: options.timeoutMs ?? 10_000,
      judge: (reply, request) =>
        readStatus(reply).code === 503 ? consumerGone(request.subject) : undefined,
      timedOut: (request) =>
        new MillraceError(
          "ack-timeout",
          `The server didn't confirm the ack ${request.subject} before the deadline. The job may be delivered again.`,
        ),
    });
  }

  get pending(): number {
    return this.#window.pending;
  }

  /**
   * Resolves when the server has taken the ack; acking what was acked before resolves as well.
   *
   * @throws MillraceError `ack-timeout`, `consumer-not-found`, `connection-closed`
   */
  ack(ackSubject: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#window.send(
        newRequest({
          subject: ackSubject,
          data: ACK,
          headers: undefined,
          requester: { done: resolve, failed: reject },
        }),
      );
    });
  }

  flush(): Promise<void> {
    return this.#window.flush();
  }

  close(): Promise<void> {
    return this.#window.close();
  }
}

function consumerGone(ackSubject: string): MillraceError {
  return new MillraceError(
    "consumer-not-found",
    `Nobody takes the ack ${ackSubject}: its consumer or queue was deleted, or has no leader at the moment.`,
  );
}
