import type { QueueMessage } from "../envelope/message.ts";
import type { SettlementStep } from "../settlement/settlement.ts";
import type { LaneWeights } from "./lanes.ts";
import type { Stoppable } from "./stoppable.ts";

export interface WorkOptions {
  /** How many more jobs the worker can take now. */
  readonly freeSlots: () => number;
  /**
   * How many more jobs may be asked for now, where that is fewer: what was asked for before and
   * comes now is taken all the same.
   */
  readonly mayPull?: () => number;
  /**
   * How many more bytes of messages it can take now, for brokers that can ask for so many; the
   * largest message may come in any case.
   */
  readonly freeBytes?: () => number;
  /**
   * Called for each job, including the few that arrive after `stop()`: those must be settled or
   * handed back too. Must not throw.
   */
  readonly onDelivery: (delivery: Delivery) => void;
  /**
   * How long a holder may go without extending its lease, milliseconds. The broker extends by
   * itself while a delivery is unsettled.
   */
  readonly leaseMs: number;
  /** How freed slots are shared between lanes in which jobs wait. Default 6 : 3 : 1. */
  readonly weights?: Partial<LaneWeights>;
  /**
   * Called, instead of `onDelivery`, for a job that arrived when all slots were taken and found
   * none within a moment: brokers ask for a job of an idle lane while a slot is free, and two may
   * come at once. It has run nowhere; it must be handed back, which costs it neither an attempt nor
   * a crash. Left out: it waits, its lease extended, until a slot is free. Must not throw.
   */
  readonly onSurplus?: (delivery: Delivery) => void;
}

export interface WorkSubscription extends Stoppable {
  /** A slot has become free: pull again. */
  slotFreed(): void;
  /**
   * Pulls no more until `resume`. Resolves when nothing can arrive any more; what was on its way
   * arrives before and is the worker's. Calling again, or resuming meanwhile, is fine.
   */
  pause(): Promise<void>;
  resume(): void;
  /** `Clock.monotonic()` of the last sign of life: a delivery, a pull's answer, a heartbeat. */
  readonly lastActivity: number;
}

/** A job in a worker's hands. */
export interface Delivery {
  readonly message: QueueMessage;
  /** 1 the first time. More means an earlier holder left the message unsettled. */
  readonly deliveryCount: number;
  readonly lease: Lease;
  /**
   * The confirmed steps of a settlement that failed on its way, or of which only a part was asked
   * for. None of them is done again when the settlement is tried again, so a settlement that takes
   * its place keeps these very steps.
   */
  readonly confirmed?: readonly SettlementStep[] | undefined;
}

/** The right to settle a delivery, for as long as it is confirmed. */
export interface Lease {
  /**
   * Whether this holder may still act. Decided by the holder's own monotonic clock, so a holder
   * that was frozen finds out at once.
   */
  isHeld(): boolean;
  /** Called at most once, before the lease can have passed to another. */
  onLost(listener: () => void): void;
  /**
   * For a handler in a thread of its own, which must find out as soon as one on the main thread.
   */
  readonly inThread?: ThreadLease;
}

/** How another thread of this process asks whether a lease is held. */
export interface ThreadLease {
  /** URL of a module that exports `isHeld(state: unknown): boolean`. */
  readonly module: string;
  /** May be sent to a thread. */
  readonly state: unknown;
}
