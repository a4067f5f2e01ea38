import type { NatsConnection } from "@nats-io/nats-core";
import type { Timer } from "@millrace/core";
import { closeForGood } from "../connection/close-for-good.ts";
import { MillraceError } from "../errors.ts";
import { machineOf } from "../machine/machine.ts";
import { every } from "../machine/timers.ts";
import { Extensions } from "./extensions.ts";
import type { Lease } from "./lease.ts";
import { LeaseSlots } from "./lease-slots.ts";
import type { Leases, LeasesOwner } from "./leases.ts";
import type { LockOrder } from "./lock-order.ts";
import { elapsedMs } from "./shared-clock.ts";
import type { LeaseState } from "./thread-lease.ts";

/**
 * The lease keeper without its thread, on a connection of its own and on that connection's clock:
 * for a simulation, where a node's event loop is never stalled and a thread would know another
 * time.
 */
export class LocalLeaseKeeper implements Leases {
  readonly #nc: NatsConnection;
  readonly #nowMs: () => number;
  readonly #slots: LeaseSlots;
  readonly #extensions: Extensions;
  readonly #timers: readonly Timer[];
  readonly #turnMs: number;
  #lastTurnMs: number;
  #receivedAfterMs: number;
  #closing: Promise<void> | undefined;

  constructor(nc: NatsConnection, owner: LeasesOwner) {
    const { clock } = machineOf(nc);
    this.#nc = nc;
    this.#nowMs = () => clock.monotonic() | 0;
    this.#lastTurnMs = this.#nowMs();
    this.#receivedAfterMs = this.#lastTurnMs;
    this.#slots = new LeaseSlots({
      ackWaitMs: owner.ackWaitMs,
      nowMs: this.#nowMs,
      onLost: (lease) => owner.onLost(lease),
      onGrow: () => {},
    });
    this.#extensions = new Extensions({
      segments: this.#slots.segments,
      nowMs: this.#nowMs,
      onLost: (slot, generation) => this.#slots.lost(slot, generation),
      onRefused: (error) =>
        owner.onProblem?.(
          new MillraceError("broker-unavailable", `Leases can't be extended: ${String(error)}`),
        ),
    });
    this.#extensions.open(nc);
    const { ackWaitMs } = owner;
    this.#turnMs = Math.max(10, Math.min(1_000, ackWaitMs / 20));
    this.#timers = [
      every(clock, Math.max(5, ackWaitMs / 12), () => this.#extensions.tick()),
      every(clock, this.#turnMs, () => this.#turn()),
    ];
  }

  register(ackSubject: string, ackWaitMs: number): Lease {
    return this.#slots.register(ackSubject, ackWaitMs, this.#receivedAfterMs);
  }

  registerLock(order: LockOrder, leaseMs: number, ageMs: number): Lease | undefined {
    return this.#slots.registerLock(order, leaseMs, ageMs);
  }

  confirmedMs(lease: Lease): number {
    return this.#slots.confirmedMs(lease);
  }

  sinceConfirmedMs(lease: Lease): number {
    return this.#slots.sinceConfirmedMs(lease);
  }

  isHeld(lease: Lease): boolean {
    return this.#slots.isHeld(lease);
  }

  stateOf(lease: Lease): LeaseState {
    return this.#slots.stateOf(lease);
  }

  release(lease: Lease): void {
    this.#slots.release(lease);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    this.#extensions.close();
    await closeForGood(this.#nc);
  }

  /** After a freeze what is read first may have lain in the socket since before it. */
  #turn(): void {
    const nowMs = this.#nowMs();
    const stoodStill = elapsedMs(this.#lastTurnMs, nowMs) > 2 * this.#turnMs;
    this.#receivedAfterMs = this.#lastTurnMs;
    this.#lastTurnMs = nowMs;
    // Before the handlers' own timers, which are due as well.
    if (stoodStill) this.#slots.watch();
  }
}
