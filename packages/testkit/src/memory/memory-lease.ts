import type { Clock, Lease, Timer } from "@millrace/core";

/**
 * The holder gives up this share of the lease early, so that it stops before the server passes the
 * job on.
 */
const MARGIN = 0.1;

type State =
  | { readonly is: "held"; readonly untilMs: number; readonly timer: Timer }
  | { readonly is: "lost" }
  /** Settled, or its holder crashed: nobody is told anything any more. */
  | { readonly is: "ended" };

interface LeaseOptions {
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Asks the server for another full lease. */
  readonly extend: () => "confirmed" | "refused" | "unreachable";
}

/**
 * A holder's side of a lease: extends it every third, and says so when that did not work for too
 * long.
 */
export class MemoryLease implements Lease {
  readonly #options: LeaseOptions;
  readonly #listeners: (() => void)[] = [];
  #state: State;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#state = this.#confirmed();
  }

  isHeld(): boolean {
    return this.#state.is === "held" && this.#options.clock.monotonic() < this.#state.untilMs;
  }

  onLost(listener: () => void): void {
    if (this.#state.is === "lost") listener();
    else this.#listeners.push(listener);
  }

  lose(): void {
    if (this.#state.is !== "held") return;
    this.#state.timer.cancel();
    this.#state = { is: "lost" };
    for (const listener of this.#listeners) listener();
  }

  end(): void {
    if (this.#state.is === "held") this.#state.timer.cancel();
    this.#state = { is: "ended" };
  }

  #confirmed(): State {
    const { clock, leaseMs } = this.#options;
    return {
      is: "held",
      untilMs: clock.monotonic() + leaseMs * (1 - MARGIN),
      timer: clock.setTimer(leaseMs / 3, () => this.#extend()),
    };
  }

  #extend(): void {
    if (this.#state.is !== "held") return;
    const { clock, leaseMs, extend } = this.#options;
    const leftMs = this.#state.untilMs - clock.monotonic();
    if (leftMs <= 0) return this.lose();
    switch (extend()) {
      case "confirmed":
        this.#state = this.#confirmed();
        return;
      case "refused":
        return this.lose();
      case "unreachable":
        this.#state = {
          ...this.#state,
          timer: clock.setTimer(Math.min(leftMs, leaseMs / 3), () => this.#extend()),
        };
    }
  }
}
