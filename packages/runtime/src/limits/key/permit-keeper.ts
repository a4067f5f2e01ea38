import {
  type Clock,
  type LockStore,
  type Logger,
  MillraceError,
  recordError,
  type Timer,
} from "@millrace/core";
import { leaseTime } from "../../lock/lease-time.ts";
import { isOverdue, type Permit } from "./permit.ts";

export interface PermitKeeperOptions {
  readonly locks: LockStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly leaseMs: number;
}

/** Looked at so often in a lease: what may be over is given up at eleven twelfths at the latest. */
const LOOKS_A_LEASE = 12;

/**
 * Renews the permits of a node, one timer for all of them: there may be thousands. Lock actors are
 * for locks that somebody waits for. There is no timer while there is no permit.
 */
export class PermitKeeper {
  readonly #options: PermitKeeperOptions;
  readonly #kept = new Map<Permit, () => void>();
  readonly #renewing = new Map<Permit, Promise<void>>();
  #timer: Timer | undefined;

  constructor(options: PermitKeeperOptions) {
    this.#options = options;
  }

  /** @param onLost called once, before another node can have it */
  keep(permit: Permit, onLost: () => void): void {
    this.#kept.set(permit, onLost);
    this.#arm();
  }

  forget(permit: Permit): void {
    this.#kept.delete(permit);
  }

  /** Until no renewal is under way: then the permit's token is the last one. */
  async settled(permit: Permit): Promise<void> {
    await this.#renewing.get(permit);
  }

  /** Renews nothing any more: what is still used is free when its lease is over. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#kept.clear();
  }

  #arm(): void {
    const { clock, leaseMs } = this.#options;
    this.#timer ??= clock.setTimer(leaseMs / LOOKS_A_LEASE, () => {
      this.#timer = undefined;
      this.#look();
      if (this.#kept.size > 0) this.#arm();
    });
  }

  #look(): void {
    const { clock, leaseMs } = this.#options;
    const now = clock.monotonic();
    for (const [permit, onLost] of this.#kept) {
      if (isOverdue(permit, now)) this.#lose(permit, onLost);
      // An offered one keeps the token it was offered under, and whoever takes it renews it;
      // neither lasts long.
      else if (
        now - permit.fromMs >= leaseTime.renewAfterMs(leaseMs) &&
        permit.state !== "offered" &&
        permit.state !== "taking"
      )
        this.#startRenewal(permit, onLost);
    }
  }

  #startRenewal(permit: Permit, onLost: () => void): void {
    if (this.#renewing.has(permit)) return;
    const renewal = this.#renew(permit, onLost).finally(() => this.#renewing.delete(permit));
    this.#renewing.set(permit, renewal);
  }

  /** Never rejects. */
  async #renew(permit: Permit, onLost: () => void): Promise<void> {
    const { locks, clock, log } = this.#options;
    const fromMs = clock.monotonic();
    try {
      const lock = await locks.renew(permit.lock, permit.claim);
      permit.lock = lock;
      permit.fromMs = fromMs;
    } catch (error) {
      // Anything else is tried again at the next look, while the lease lasts.
      if (MillraceError.is(error, "lock-lost")) this.#lose(permit, onLost);
      else
        log.warn(
          { lock: permit.lock.name, error: recordError(error) },
          "a permit could not be renewed; trying again",
        );
    }
  }

  #lose(permit: Permit, onLost: () => void): void {
    if (this.#kept.delete(permit)) onLost();
  }
}
