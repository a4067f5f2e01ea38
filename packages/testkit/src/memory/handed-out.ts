import { MillraceError } from "@millrace/core";
import type { MemoryDelivery } from "./memory-subscription.ts";

/** What was handed out over a connection, and is not settled. */
export class HandedOut {
  readonly #deliveries = new Set<MemoryDelivery>();

  add(delivery: MemoryDelivery): void {
    this.#deliveries.add(delivery);
    delivery.lease.onLost(() => this.#deliveries.delete(delivery));
  }

  /** @throws MillraceError `lock-lost` */
  require(delivery: MemoryDelivery): void {
    if (this.#deliveries.has(delivery) && delivery.lease.isHeld()) return;
    throw new MillraceError(
      "lock-lost",
      "This delivery is settled, or its lease was lost: another holder may have the job. Settle nothing.",
    );
  }

  abandon(delivery: MemoryDelivery): void {
    delivery.lease.end();
    this.#deliveries.delete(delivery);
  }

  /** The leases on a queue pass to another holder, and their holders are told first. */
  lose(queue: string): void {
    for (const delivery of [...this.#deliveries]) {
      if (delivery.queue.name !== queue) continue;
      delivery.lease.lose();
      delivery.queue.release(delivery.hold);
    }
  }

  /** The process that had them is gone. */
  end(): void {
    for (const delivery of this.#deliveries) delivery.lease.end();
    this.#deliveries.clear();
  }

  /** The connection is closed: nothing is known of them here any more. */
  clear(): void {
    this.#deliveries.clear();
  }
}
