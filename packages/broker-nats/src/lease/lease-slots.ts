import { MillraceError } from "../errors.ts";
import type { LeaseId } from "./lease.ts";
import {
  GENERATIONS,
  LeaseSegment,
  MAX_SUBJECT_BYTES,
  SLOTS_PER_SEGMENT,
} from "./lease-segment.ts";
import type { Leases, LeasesOwner } from "./leases.ts";
import { type LockOrder, writeLockOrder } from "./lock-order.ts";
import { elapsedMs } from "./shared-clock.ts";
import type { LeaseState } from "./thread-lease.ts";

/**
 * The slots in which leases stand, as their taker sees them: whoever extends them sees the same
 * segments. How often the event loop turns says since when a message may have lain in the socket.
 */
export abstract class LeaseSlots implements Leases {
  protected readonly segments: LeaseSegment[] = [new LeaseSegment()];
  /** By `nowMs`: no message read now can have been handed out before this. */
  protected receivedAfterMs: number;
  protected readonly turnMs: number;
  readonly #owner: LeasesOwner;
  readonly #nowMs: () => number;
  readonly #free: number[] = [];
  #lastTurnMs: number;

  /** @param nowMs as `sharedNowMs` */
  constructor(owner: LeasesOwner, nowMs: () => number) {
    this.#owner = owner;
    this.#nowMs = nowMs;
    this.#lastTurnMs = nowMs();
    this.receivedAfterMs = this.#lastTurnMs;
    this.turnMs = Math.max(10, Math.min(1_000, owner.ackWaitMs / 20));
    this.#offer(0);
  }

  abstract close(): Promise<void>;
  /** One more block was needed. Not called for the first. */
  protected abstract grown(segment: LeaseSegment): void;

  /** The lease counts from the last turn of the event loop before: see `receivedAfterMs`. */
  register(ackSubject: string, ackWaitMs: number = this.#owner.ackWaitMs): LeaseId {
    if (ackSubject.length > MAX_SUBJECT_BYTES || ackWaitMs < this.#owner.ackWaitMs)
      throw unusable(ackSubject, ackWaitMs, this.#owner.ackWaitMs);
    return this.#take(ackSubject, ackWaitMs, this.receivedAfterMs);
  }

  registerLock(order: LockOrder, leaseMs: number, ageMs: number): LeaseId | undefined {
    const text = writeLockOrder(order);
    const fits = Buffer.byteLength(text) <= MAX_SUBJECT_BYTES;
    if (!fits || leaseMs * 2 < this.#owner.ackWaitMs) return undefined;
    return this.#take(text, leaseMs, (this.#nowMs() - ageMs) | 0);
  }

  confirmedMs(lease: LeaseId): number {
    const number = Math.floor(lease / GENERATIONS);
    return this.#segmentOf(number).confirmedMs(number % SLOTS_PER_SEGMENT);
  }

  sinceConfirmedMs(lease: LeaseId): number {
    return elapsedMs(this.confirmedMs(lease), this.#nowMs());
  }

  isHeld(lease: LeaseId): boolean {
    const number = Math.floor(lease / GENERATIONS);
    const segment = this.#segmentOf(number);
    const slot = number % SLOTS_PER_SEGMENT;
    const generation = lease % GENERATIONS;
    if (!segment.isHeld(slot, generation)) return false;
    if (segment.age(slot, this.#nowMs()) !== "over") return true;
    if (segment.declareLost(slot, generation)) queueMicrotask(() => this.#owner.onLost(lease));
    return false;
  }

  stateOf(lease: LeaseId): LeaseState {
    return { buffer: this.#segmentOf(Math.floor(lease / GENERATIONS)).buffer, lease };
  }

  release(lease: LeaseId): void {
    const number = Math.floor(lease / GENERATIONS);
    if (this.#segmentOf(number).free(number % SLOTS_PER_SEGMENT, lease % GENERATIONS))
      this.#free.push(number);
  }

  /** Was declared lost by whoever extends them. */
  protected lost(number: number, generation: number): void {
    // Released while the message was on its way: nobody is concerned any more.
    if (this.#segmentOf(number).isLost(number % SLOTS_PER_SEGMENT, generation))
      this.#owner.onLost((number * GENERATIONS + generation) as LeaseId);
  }

  /** Looks at all of them, while nobody extends any. */
  protected watch(): void {
    this.segments.forEach((segment, s) => {
      for (let slot = 0; slot < SLOTS_PER_SEGMENT; slot += 1) {
        const generation = segment.heldGeneration(slot);
        if (generation !== undefined)
          this.isHeld(((s * SLOTS_PER_SEGMENT + slot) * GENERATIONS + generation) as LeaseId);
      }
    });
  }

  /** @returns whether the event loop stalled before this turn of it, at `nowMs` */
  protected turned(nowMs: number): boolean {
    const stoodStill = elapsedMs(this.#lastTurnMs, nowMs) > 2 * this.turnMs;
    this.receivedAfterMs = this.#lastTurnMs;
    this.#lastTurnMs = nowMs;
    return stoodStill;
  }

  #take(text: string, leaseMs: number, confirmedMs: number): LeaseId {
    if (this.#free.length === 0) this.#grow();
    const number = this.#free.pop() as number;
    const slot = number % SLOTS_PER_SEGMENT;
    const generation = this.#segmentOf(number).take(slot, text, leaseMs, confirmedMs);
    return (number * GENERATIONS + generation) as LeaseId;
  }

  #segmentOf(number: number): LeaseSegment {
    return this.segments[Math.floor(number / SLOTS_PER_SEGMENT)] as LeaseSegment;
  }

  #grow(): void {
    const segment = new LeaseSegment();
    this.#offer(this.segments.length * SLOTS_PER_SEGMENT);
    this.segments.push(segment);
    this.grown(segment);
  }

  #offer(first: number): void {
    for (let slot = SLOTS_PER_SEGMENT - 1; slot >= 0; slot -= 1) this.#free.push(first + slot);
  }
}

function unusable(ackSubject: string, ackWaitMs: number, shortestMs: number): MillraceError {
  const why =
    ackWaitMs < shortestMs
      ? `its ack_wait of ${ackWaitMs} ms is shorter than the ${shortestMs} ms the keeper was opened for`
      : `its ack subject has ${ackSubject.length} bytes`;
  return new MillraceError("lease-unusable", `This delivery's lease can't be kept: ${why}.`);
}
