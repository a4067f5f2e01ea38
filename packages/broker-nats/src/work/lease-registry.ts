import type { LockKeeping } from "@millrace/core";
import type { LeaseId } from "../lease/lease.ts";
import type { Leases, LeasesOwner } from "../lease/leases.ts";
import type { LockOrder } from "../lease/lock-order.ts";
import { brokerClosed } from "../requests/failures.ts";
import { NatsLease } from "./nats-lease.ts";

/** Rejects with the signal's reason once that is aborted, and leaves nothing open. */
export type OpenLeases = (owner: LeasesOwner, signal: AbortSignal) => Promise<Leases>;

export interface LeaseRegistryOptions {
  /** A keeper of its own connection. */
  readonly open: OpenLeases;
  /** Of the connection that deliveries come on; see `LeasesOwner`. */
  readonly roundTrip: () => Promise<void>;
  readonly onProblem: (error: unknown, doing: string) => void;
}

/** Takes leases of one length out at one keeper. */
export type LeaseTaker = (ackSubject: string) => NatsLease;

interface Opened {
  readonly shortestMs: number;
  readonly keeper: Promise<Leases>;
  /** Once it is. */
  ready?: Leases;
  readonly leases: Map<LeaseId, NatsLease>;
}

/**
 * All leases of a broker. A keeper is a thread with a connection, and serves every lease that is
 * not shorter than the one it was opened for; so there is one, or a few where queues with ever
 * shorter leases are worked.
 */
export class LeaseRegistry {
  readonly #options: LeaseRegistryOptions;
  readonly #opened: Opened[] = [];
  readonly #closing = new AbortController();

  constructor(options: LeaseRegistryOptions) {
    this.#options = options;
  }

  /** @throws MillraceError `connection-closed`; what a keeper's connection can't be had for */
  async leasesFor(leaseMs: number): Promise<LeaseTaker> {
    this.#closing.signal.throwIfAborted();
    const opened =
      this.#opened.find(({ shortestMs }) => shortestMs <= leaseMs) ?? this.#open(leaseMs);
    const keeper = await opened.keeper;
    const { leases } = opened;
    return (ackSubject) => {
      const lease = new NatsLease(keeper.register(ackSubject, leaseMs), keeper, ({ id }) =>
        leases.delete(id),
      );
      leases.set(lease.id, lease);
      return lease;
    };
  }

  /**
   * Extends a lock from the thread that extends deliveries, where one is at work.
   *
   * @returns undefined where there is none, as in a client, or it looks too seldom for such a lease
   */
  keepLock(order: LockOrder, leaseMs: number, ageMs: number): LockKeeping | undefined {
    for (const { ready } of this.#opened) {
      const lease = ready?.registerLock(order, leaseMs, ageMs);
      if (ready !== undefined && lease !== undefined) return keepingOf(ready, lease);
    }
    return undefined;
  }

  /**
   * Nothing is extended any more: what was not settled goes to another holder when its lease runs
   * out. A keeper that has no connection yet is not waited for: it may dial for ever.
   */
  async close(): Promise<void> {
    this.#closing.abort(brokerClosed());
    for (const { keeper, leases } of this.#opened.splice(0)) {
      for (const lease of [...leases.values()]) lease.end();
      // One that never opened told its caller why.
      await keeper.then(
        (open) => open.close(),
        () => {},
      );
    }
  }

  #open(leaseMs: number): Opened {
    const leases = new Map<LeaseId, NatsLease>();
    const keeper = this.#options.open(
      {
        ackWaitMs: leaseMs,
        roundTrip: this.#options.roundTrip,
        onLost: (id) => leases.get(id)?.lose(),
        onProblem: (error) => this.#options.onProblem(error, "extend leases"),
      },
      this.#closing.signal,
    );
    const opened: Opened = { shortestMs: leaseMs, keeper, leases };
    this.#opened.push(opened);
    keeper.then(
      (open) => (opened.ready = open),
      // A failure is not kept: the next call tries again.
      () => void this.#opened.splice(this.#opened.indexOf(opened), 1),
    );
    return opened;
  }
}

function keepingOf(keeper: Leases, lease: LeaseId): LockKeeping {
  const fromMs = keeper.confirmedMs(lease);
  let ended = false;
  return {
    extendedAgoMs: () => {
      if (ended || keeper.confirmedMs(lease) === fromMs) return undefined;
      return keeper.sinceConfirmedMs(lease);
    },
    end: () => {
      if (ended) return;
      ended = true;
      keeper.release(lease);
    },
  };
}
