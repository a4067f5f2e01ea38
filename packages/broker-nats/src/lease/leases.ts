import type { MillraceError } from "../errors.ts";
import type { LeaseId } from "./lease.ts";
import type { LockOrder } from "./lock-order.ts";
import type { LeaseState } from "./thread-lease.ts";

/** Extends leases until they are released, and knows of each whether it still stands. */
export interface Leases {
  /**
   * From when the delivery is received until `release`.
   *
   * @throws MillraceError `lease-unusable`
   */
  register(ackSubject: string, ackWaitMs: number): LeaseId;
  /**
   * The same for a lock: from half of its lease on what the order says is done, and then every
   * third. `onLost` is never called for it.
   *
   * @returns undefined where such a lease is looked at too seldom, or the order is too long
   */
  registerLock(order: LockOrder, leaseMs: number, ageMs: number): LeaseId | undefined;
  /**
   * When the last confirmed extension was sent, on the clock of `sinceConfirmedMs`. Means something
   * until the lease is released.
   */
  confirmedMs(lease: LeaseId): number;
  /** How long ago that was. */
  sinceConfirmedMs(lease: LeaseId): number;
  /** Ask right before settling. Once false it stays false. */
  isHeld(lease: LeaseId): boolean;
  /** What `isHeld` of `thread-lease.ts` needs. */
  stateOf(lease: LeaseId): LeaseState;
  /** Stops extending. Safe to call again, and for a lease that was lost. */
  release(lease: LeaseId): void;
  /** Stops extending everything. Safe to call again. */
  close(): Promise<void>;
}

/** What whoever opens `Leases` is told and asked. */
export interface LeasesOwner {
  /** The shortest `ack_wait` of the consumers whose deliveries are registered. */
  readonly ackWaitMs: number;
  /**
   * The lease can't be relied on any more: abort what runs on it and settle nothing. Release it all
   * the same.
   */
  onLost(lease: LeaseId): void;
  /**
   * Resolves when everything has been read that the server had sent on the deliveries' connection
   * before this was called. Asked once the event loop was stalled, so that what comes afterwards is
   * not taken for as old as the stall. Default: two turns of the watch settle that.
   */
  roundTrip?(): Promise<void>;
  /** For the log. */
  onProblem?(error: MillraceError): void;
}
