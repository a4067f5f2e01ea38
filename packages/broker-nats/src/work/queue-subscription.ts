import {
  laneWeights,
  type LaneWeights,
  LONGEST_LEASE_MS,
  MillraceError,
  type WorkOptions,
  type WorkSubscription,
} from "@millrace/core";
import type { SkippedJobs } from "../keys/skipped-jobs.ts";
import { SkippedLook } from "../keys/skipped-look.ts";
import type { Delivery as RawDelivery } from "../pull/delivery.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { ensureQueueConsumers } from "../topology/ensure-consumer.ts";
import { LanePulls } from "./lane-pulls.ts";
import type { LeaseTaker, LeaseRegistry } from "./lease-registry.ts";
import { NatsDelivery } from "./nats-delivery.ts";

export interface QueueSubscriptionOptions {
  readonly server: ServerAccess;
  readonly queue: string;
  readonly work: WorkOptions;
  readonly leases: LeaseRegistry;
  readonly skipped: SkippedJobs;
  /** Throws where the broker was closed meanwhile. */
  readonly requireOpen: () => void;
  readonly onProblem: (error: unknown, doing: string) => void;
  readonly onStop: (stopped: QueueSubscription) => void;
}

/** One worker's place at a queue. */
export class QueueSubscription implements WorkSubscription {
  readonly #options: QueueSubscriptionOptions;
  /** Of what the queue's consumer grants; at least what was asked for. */
  #takeLease: LeaseTaker;
  readonly #lanes: LanePulls;
  #stopping: Promise<void> | undefined;
  readonly #look: SkippedLook;

  /** @throws MillraceError `queue-not-found` */
  static async start(options: QueueSubscriptionOptions): Promise<QueueSubscription> {
    const { server, queue, work, leases } = options;
    requireLease(work.leaseMs);
    const weights = laneWeights(work.weights);
    const { leaseMs, addedKeys } = await ensureQueueConsumers(server, queue, work.leaseMs);
    options.requireOpen();
    const takeLease = await leases.leasesFor(keptMs(leaseMs));
    // A subscription pulls from its first moment: one made now would take jobs that nobody settles.
    options.requireOpen();
    const subscription = new QueueSubscription(options, takeLease, leaseMs, weights);
    if (addedKeys) subscription.#look.begin();
    return subscription;
  }

  private constructor(
    options: QueueSubscriptionOptions,
    takeLease: LeaseTaker,
    leaseMs: number,
    weights: LaneWeights,
  ) {
    const { server, queue, work, onProblem } = options;
    this.#options = options;
    this.#takeLease = takeLease;
    this.#lanes = new LanePulls({
      nc: server.nc,
      stream: server.names.queueStream(queue),
      weights,
      expiresMs: pullExpiryMs(leaseMs),
      freeSlots: () => work.freeSlots(),
      mayPull: () => work.mayPull?.() ?? Number.POSITIVE_INFINITY,
      freeBytes: () => work.freeBytes?.() ?? Number.POSITIVE_INFINITY,
      receive: (raw) => this.#receive(raw),
      hand: (delivery) => work.onDelivery(delivery),
      handSurplus: work.onSurplus,
      onConsumerMissing: () => this.#restoreConsumers(),
      onProblem: (error) => onProblem(error, `pull from the queue ${queue}`),
    });
    this.#look = new SkippedLook(options);
  }

  get lastActivity(): number {
    return this.#lanes.lastActivityMs;
  }

  slotFreed(): void {
    this.#lanes.slotFreed();
  }

  pause(): Promise<void> {
    return this.#lanes.pause();
  }

  resume(): void {
    this.#lanes.resume();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#options.onStop(this);
    this.#look.stop();
    await this.#lanes.stop();
  }

  #receive(raw: RawDelivery): NatsDelivery {
    const { server, queue } = this.#options;
    // A message on a subject of an operator's own making is a producer's.
    const subject = server.names.readQueueSubject(raw.subject, raw.headers) ?? {
      origin: "producer",
      queue,
      lane: undefined,
      woken: false,
      key: undefined,
    };
    return new NatsDelivery(raw, subject, this.#takeLease(raw.ackSubject));
  }

  async #restoreConsumers(): Promise<void> {
    const { server, queue, work, leases } = this.#options;
    const { leaseMs, addedKeys } = await ensureQueueConsumers(server, queue, work.leaseMs);
    this.#takeLease = await leases.leasesFor(keptMs(leaseMs));
    if (addedKeys) this.#look.begin();
  }
}

const SHORTEST_LEASE_MS = 100;
const LONGEST_PULL_MS = 30_000;

/**
 * A holder that is frozen, or cut off without a word, leaves its pull at the server, and the server
 * would hand the very jobs whose leases ran out to that pull: each time a lease is wasted and a
 * crash counted that was none. So a pull is over before a lease that was extended when it began can
 * run out; the last extension may be a third of a lease old by then.
 */
function pullExpiryMs(leaseMs: number): number {
  return Math.min(LONGEST_PULL_MS, leaseMs / 2);
}

/**
 * A consumer that was changed by hand may grant more than a lease can be. One that is held to be
 * shorter is extended in time all the more.
 */
function keptMs(grantedMs: number): number {
  return Math.min(grantedMs, LONGEST_LEASE_MS);
}

function requireLease(leaseMs: number): void {
  if (leaseMs >= SHORTEST_LEASE_MS && leaseMs <= LONGEST_LEASE_MS) return;
  throw new MillraceError(
    "invalid-option",
    `leaseMs: a lease is at least ${SHORTEST_LEASE_MS} and at most ${LONGEST_LEASE_MS} milliseconds (a day); got ${leaseMs}.`,
  );
}
