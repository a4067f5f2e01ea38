import type { NatsConnection } from "@nats-io/nats-core";
import type { Timer } from "@millrace/core";
import { closeForGood } from "../connection/close-for-good.ts";
import { MillraceError } from "../errors.ts";
import { machineOf } from "../machine/machine.ts";
import { every } from "../machine/timers.ts";
import { Extensions } from "./extensions.ts";
import { LeaseSlots } from "./lease-slots.ts";
import type { LeasesOwner } from "./leases.ts";

/**
 * The lease keeper without its thread, on a connection of its own and on that connection's clock:
 * for a simulation, where a node's event loop is never stalled and a thread would know another
 * time.
 */
export class LocalLeaseKeeper extends LeaseSlots {
  readonly #nc: NatsConnection;
  readonly #extensions: Extensions;
  readonly #timers: readonly Timer[];
  #closing: Promise<void> | undefined;

  constructor(nc: NatsConnection, owner: LeasesOwner) {
    const { clock } = machineOf(nc);
    const nowMs = (): number => clock.monotonic() | 0;
    super(owner, nowMs);
    this.#nc = nc;
    this.#extensions = new Extensions({
      segments: this.segments,
      nowMs,
      onLost: (slot, generation) => this.lost(slot, generation),
      onRefused: (error) =>
        owner.onProblem?.(
          new MillraceError("broker-unavailable", `Leases can't be extended: ${String(error)}`),
        ),
    });
    this.#extensions.open(nc);
    this.#timers = [
      every(clock, Math.max(5, owner.ackWaitMs / 12), () => this.#extensions.tick()),
      // Before the handlers' own timers, which are due as well after a freeze.
      every(clock, this.turnMs, () => {
        if (this.turned(nowMs())) this.watch();
      }),
    ];
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

  protected grown(): void {}
}
