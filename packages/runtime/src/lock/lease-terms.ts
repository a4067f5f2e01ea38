import type { Clock, HeldLock, LockClaim, LockKeeping, LockStore, Timer } from "@millrace/core";
import { leaseTime } from "./lease-time.ts";
import type { LeaseTerm } from "./lock-machine.ts";

export interface LeaseTermsOptions {
  readonly locks: LockStore;
  readonly clock: Clock;
  readonly name: string;
  readonly leaseMs: number;
}

/**
 * Until when a lock is held: by its last renewal, or by what the store extends in its own thread,
 * where it can.
 */
export class LeaseTerms {
  readonly #options: LeaseTermsOptions;
  readonly #claim: LockClaim;
  #latest: HeldLock | undefined;
  #keeping: LockKeeping | "over" | undefined;
  /**
   * Until when the store's extensions reached, by the clock; those before the last renewal count
   * too.
   */
  #keptUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: LeaseTermsOptions, claim: LockClaim) {
    this.#options = options;
    this.#claim = claim;
  }

  /** As the store gave it last, also where the machine does not wait for it any more. */
  get latest(): HeldLock | undefined {
    return this.#latest;
  }

  /** The store has given the lock, or has renewed it: asked at `fromMs`. */
  begin(lock: HeldLock, fromMs: number): LeaseTerm {
    const { locks, clock, leaseMs } = this.#options;
    this.#latest = lock;
    // A renewal may be answered when nobody holds the lock any more.
    if (this.#keeping !== "over") {
      // The renewed term is judged by the one before it, which these extensions may have carried
      // here.
      this.#noteKept();
      this.#keeping?.end();
      this.#keeping = locks.keep?.(lock, this.#claim, clock.monotonic() - fromMs);
    }
    return { lock, fromMs, untilMs: fromMs + leaseTime.heldForMs(leaseMs) };
  }

  heldUntilMs({ untilMs }: LeaseTerm): number {
    if (this.#keeping === "over") return untilMs;
    this.#noteKept();
    return Math.max(untilMs, this.#keptUntilMs);
  }

  /** @returns ends the watch */
  watch(term: LeaseTerm, lapsed: () => void): () => void {
    const { clock } = this.#options;
    let timer: Timer;
    const arm = (): void => {
      timer = clock.setTimer(Math.max(0, this.heldUntilMs(term) - clock.monotonic()), () => {
        if (clock.monotonic() < this.heldUntilMs(term)) arm();
        else lapsed();
      });
    };
    arm();
    return () => timer.cancel();
  }

  /** The store extends it no more. */
  end(): void {
    if (this.#keeping !== "over") this.#keeping?.end();
    this.#keeping = "over";
  }

  #noteKept(): void {
    const agoMs = this.#keeping === "over" ? undefined : this.#keeping?.extendedAgoMs();
    if (agoMs === undefined) return;
    const { clock, leaseMs } = this.#options;
    const untilMs = clock.monotonic() - agoMs + leaseTime.heldForMs(leaseMs);
    this.#keptUntilMs = Math.max(this.#keptUntilMs, untilMs);
  }
}
