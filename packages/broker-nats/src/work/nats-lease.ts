import type { Lease, ThreadLease } from "@millrace/core";
import type { LeaseId } from "../lease/lease.ts";
import { leaseModule } from "../lease/lease-thread.ts";
import type { Leases } from "../lease/leases.ts";

/**
 * `held`: extended by the keeper. `lost`: may be another's. `ended`: settled, or given up when the
 * broker closed.
 */
type State = "held" | "lost" | "ended";

/** One delivery's lease, as its holder sees it. */
export class NatsLease implements Lease {
  readonly id: LeaseId;
  readonly #keeper: Leases;
  readonly #forget: (lease: NatsLease) => void;
  #state: State = "held";
  #listener: (() => void) | undefined;

  constructor(id: LeaseId, keeper: Leases, forget: (lease: NatsLease) => void) {
    this.id = id;
    this.#keeper = keeper;
    this.#forget = forget;
  }

  isHeld(): boolean {
    return this.#state === "held" && this.#keeper.isHeld(this.id);
  }

  get inThread(): ThreadLease {
    return { module: leaseModule(), state: this.#keeper.stateOf(this.id) };
  }

  onLost(listener: () => void): void {
    this.#listener = listener;
    if (this.#state === "lost") queueMicrotask(listener);
  }

  /** Called by the keeper's owner when the keeper gave the lease up. */
  lose(): void {
    if (this.#state !== "held") return;
    this.#state = "lost";
    this.#end();
    this.#listener?.();
  }

  /** Stops extending: the delivery is settled, or nobody is there any more to settle it. */
  end(): void {
    if (this.#state !== "held") return;
    this.#state = "ended";
    this.#end();
  }

  #end(): void {
    this.#keeper.release(this.id);
    this.#forget(this);
  }
}
