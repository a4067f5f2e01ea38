import { MillraceError } from "../errors.ts";
import type { Lease } from "./lease.ts";
import {
  GENERATIONS,
  LeaseSegment,
  MAX_SUBJECT_BYTES,
  SLOTS_PER_SEGMENT,
} from "./lease-segment.ts";
import { type LockOrder, writeLockOrder } from "./lock-order.ts";
import { elapsedMs } from "./shared-clock.ts";
import type { LeaseState } from "./thread-lease.ts";

export interface LeaseSlotsOptions {
  readonly ackWaitMs: number;
  /** As `sharedNowMs`. */
  readonly nowMs: () => number;
  readonly onLost: (lease: Lease) => void;
  /** One more block was needed. Not called for the first. */
  readonly onGrow: (segment: LeaseSegment) => void;
}

/**
 * The slots in which leases stand, as their taker sees them: whoever extends them sees the same
 * segments.
 */
export class LeaseSlots {
  readonly segments: LeaseSegment[] = [new LeaseSegment()];
  readonly #options: LeaseSlotsOptions;
  readonly #free: number[] = [];

  constructor(options: LeaseSlotsOptions) {
    this.#options = options;
    this.#offer(0);
  }

  /** @throws MillraceError `lease-unusable` */
  register(ackSubject: string, ackWaitMs: number, confirmedMs: number): Lease {
    if (ackSubject.length > MAX_SUBJECT_BYTES || ackWaitMs < this.#options.ackWaitMs)
      throw unusable(ackSubject, ackWaitMs, this.#options.ackWaitMs);
    return this.#take(ackSubject, ackWaitMs, confirmedMs);
  }

  registerLock(order: LockOrder, leaseMs: number, ageMs: number): Lease | undefined {
    const text = writeLockOrder(order);
    const fits = Buffer.byteLength(text) <= MAX_SUBJECT_BYTES;
    if (!fits || leaseMs * 2 < this.#options.ackWaitMs) return undefined;
    return this.#take(text, leaseMs, (this.#options.nowMs() - ageMs) | 0);
  }

  confirmedMs(lease: Lease): number {
    const number = Math.floor(lease / GENERATIONS);
    return this.#segmentOf(number).confirmedMs(number % SLOTS_PER_SEGMENT);
  }

  sinceConfirmedMs(lease: Lease): number {
    return elapsedMs(this.confirmedMs(lease), this.#options.nowMs());
  }

  isHeld(lease: Lease): boolean {
    const number = Math.floor(lease / GENERATIONS);
    const segment = this.#segmentOf(number);
    const slot = number % SLOTS_PER_SEGMENT;
    const generation = lease % GENERATIONS;
    if (!segment.isHeld(slot, generation)) return false;
    if (segment.age(slot, this.#options.nowMs()) !== "over") return true;
    if (segment.declareLost(slot, generation)) queueMicrotask(() => this.#options.onLost(lease));
    return false;
  }

  stateOf(lease: Lease): LeaseState {
    return { buffer: this.#segmentOf(Math.floor(lease / GENERATIONS)).buffer, lease };
  }

  release(lease: Lease): void {
    const number = Math.floor(lease / GENERATIONS);
    if (this.#segmentOf(number).free(number % SLOTS_PER_SEGMENT, lease % GENERATIONS))
      this.#free.push(number);
  }

  /** Was declared lost by whoever extends them. */
  lost(number: number, generation: number): void {
    // Released while the message was on its way: nobody is concerned any more.
    if (this.#segmentOf(number).isLost(number % SLOTS_PER_SEGMENT, generation))
      this.#options.onLost((number * GENERATIONS + generation) as Lease);
  }

  /** Looks at all of them, while nobody extends any. */
  watch(): void {
    this.segments.forEach((segment, s) => {
      for (let slot = 0; slot < SLOTS_PER_SEGMENT; slot += 1) {
        const generation = segment.heldGeneration(slot);
        if (generation !== undefined)
          this.isHeld(((s * SLOTS_PER_SEGMENT + slot) * GENERATIONS + generation) as Lease);
      }
    });
  }

  #take(text: string, leaseMs: number, confirmedMs: number): Lease {
    if (this.#free.length === 0) this.#grow();
    const number = this.#free.pop() as number;
    const slot = number % SLOTS_PER_SEGMENT;
    const generation = this.#segmentOf(number).take(slot, text, leaseMs, confirmedMs);
    return (number * GENERATIONS + generation) as Lease;
  }

  #segmentOf(number: number): LeaseSegment {
    return this.segments[Math.floor(number / SLOTS_PER_SEGMENT)] as LeaseSegment;
  }

  #grow(): void {
    const segment = new LeaseSegment();
    this.#offer(this.segments.length * SLOTS_PER_SEGMENT);
    this.segments.push(segment);
    this.#options.onGrow(segment);
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
