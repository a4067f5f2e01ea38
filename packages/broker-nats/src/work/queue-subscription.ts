import { MillraceError, type WorkOptions, type WorkSubscription } from "@millrace/core";
import type { Delivery as RawDelivery } from "../pull/delivery.ts";
import { PullSubscription } from "../pull/pull-subscription.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { ensureQueueConsumer } from "../topology/ensure-consumer.ts";
import { QUEUE_CONSUMER } from "../topology/subjects.ts";
import type { LeaseDesk, LeaseDesks } from "./lease-desk.ts";
import { NatsDelivery } from "./nats-delivery.ts";

export interface QueueSubscriptionOptions {
  readonly server: ServerAccess;
  readonly queue: string;
  readonly work: WorkOptions;
  readonly desks: LeaseDesks;
  readonly onProblem: (error: unknown, doing: string) => void;
  readonly onStop: (stopped: QueueSubscription) => void;
}

/** One worker's place at a queue. */
export class QueueSubscription implements WorkSubscription {
  readonly #options: QueueSubscriptionOptions;
  #desk: LeaseDesk;
  readonly #pull: PullSubscription;
  /** What the queue's consumer grants; at least what was asked for. */
  #leaseMs: number;

  /** @throws MillraceError `queue-not-found` */
  static async start(options: QueueSubscriptionOptions): Promise<QueueSubscription> {
    const { server, queue, work, desks } = options;
    requireLease(work.leaseMs);
    const leaseMs = await ensureQueueConsumer(server.jsm, server.names, queue, work.leaseMs);
    return new QueueSubscription(options, await desks.deskFor(leaseMs), leaseMs);
  }

  private constructor(options: QueueSubscriptionOptions, desk: LeaseDesk, leaseMs: number) {
    const { server, queue, work, onProblem } = options;
    this.#options = options;
    this.#desk = desk;
    this.#leaseMs = leaseMs;
    this.#pull = new PullSubscription({
      nc: server.nc,
      stream: server.names.queueStream(queue),
      consumer: QUEUE_CONSUMER,
      freeSlots: () => work.freeSlots(),
      onMessage: (raw) => this.#deliver(raw),
      onConsumerMissing: () => this.#restoreConsumer(),
      onProblem: (error) => onProblem(error, `pull from the queue ${queue}`),
    });
  }

  get lastActivity(): number {
    return this.#pull.lastActivityMs;
  }

  slotFreed(): void {
    this.#pull.slotFreed();
  }

  pause(): void {
    this.#pull
      .pause()
      .catch((error: unknown) =>
        this.#options.onProblem(error, `pause the queue ${this.#options.queue}`),
      );
  }

  resume(): void {
    this.#pull.resume();
  }

  stop(): Promise<void> {
    this.#options.onStop(this);
    return this.#pull.stop();
  }

  #deliver(raw: RawDelivery): void {
    const { server, queue, work } = this.#options;
    // The stream has no other subjects; a message of an operator's own making is a producer's.
    const subject = server.names.readQueueSubject(raw.subject) ?? {
      origin: "producer",
      queue,
      lane: undefined,
    };
    const lease = this.#desk.take(raw.ackSubject, this.#leaseMs);
    work.onDelivery(new NatsDelivery(raw, subject, lease));
  }

  async #restoreConsumer(): Promise<void> {
    const { server, queue, work, desks } = this.#options;
    const granted = await ensureQueueConsumer(server.jsm, server.names, queue, work.leaseMs);
    this.#desk = await desks.deskFor(granted);
    this.#leaseMs = granted;
  }
}

const SHORTEST_LEASE_MS = 100;

function requireLease(leaseMs: number): void {
  if (Number.isFinite(leaseMs) && leaseMs >= SHORTEST_LEASE_MS) return;
  throw new MillraceError(
    "invalid-option",
    `leaseMs: a lease is at least ${SHORTEST_LEASE_MS} milliseconds; got ${leaseMs}.`,
  );
}
