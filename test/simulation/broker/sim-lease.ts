import type { Lease } from "@millrace/core";
import type { Line } from "./line.ts";

/** The holder gives up this share of its lease early, as it does on a server. */
const MARGIN = 0.1;

/**
 * A holder's side of a lease, kept by the holder's own clock: extended every third while its
 * process runs, confirmed by the server, and lost when no confirmation came. A frozen process
 * extends nothing.
 */
export class SimLease implements Lease {
  readonly #line: Line;
  readonly #leaseMs: number;
  readonly #extend: () => void;
  readonly #point: string;
  readonly #listeners: (() => void)[] = [];
  #state: "held" | "lost" | "ended" = "held";
  #untilMs: number;

  constructor(line: Line, leaseMs: number, point: string, extend: () => void) {
    this.#line = line;
    this.#leaseMs = leaseMs;
    this.#point = point;
    this.#extend = extend;
    this.#untilMs = this.#now() + leaseMs * (1 - MARGIN);
    this.#armExtension();
    this.#armLoss();
  }

  /** One that was found over stays over: nobody may extend what its holder has given up. */
  isHeld(): boolean {
    if (this.#state !== "held") return false;
    if (this.#now() < this.#untilMs) return true;
    this.#state = "lost";
    queueMicrotask(() => this.#tell());
    return false;
  }

  onLost(listener: () => void): void {
    if (this.#state === "lost") queueMicrotask(listener);
    else this.#listeners.push(listener);
  }

  end(): void {
    if (this.#state === "held") this.#state = "ended";
  }

  #armExtension(): void {
    this.#line.process.clock.setTimer(this.#leaseMs / 3, () => {
      // Its age decides before anything is sent: it may be another's by now.
      if (!this.isHeld()) return;
      this.#armExtension();
      const sentMs = this.#now();
      this.#line
        .call({ point: `extend ${this.#point}`, act: this.#extend, timeoutMs: this.#leaseMs / 3 })
        .then(
          () => {
            if (this.#state === "held")
              this.#untilMs = Math.max(this.#untilMs, sentMs + this.#leaseMs * (1 - MARGIN));
          },
          // The next third asks again; without any the lease is lost.
          () => {},
        );
    });
  }

  #armLoss(): void {
    this.#line.process.clock.setTimer(this.#untilMs - this.#now(), () => {
      if (this.isHeld()) this.#armLoss();
    });
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #now(): number {
    return this.#line.process.clock.monotonic();
  }
}
