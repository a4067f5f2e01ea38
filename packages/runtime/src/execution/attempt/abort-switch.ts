import { type AbortCause, type Lease, MillraceError } from "@millrace/core";
import { clockedSignal } from "../../lock/clocked-signal.ts";

/** What the handler's signal carries as its `reason`. */
export interface AbortReason extends MillraceError {
  readonly code: AbortCause;
}

const LEASE_LOST = "The lease could not be confirmed in time; another node may run this job.";

/**
 * Tells a handler to stop, once, and remembers why. The controller is only made when somebody looks
 * at the signal: most short jobs never do.
 *
 * In a process that was frozen, the handler may run before anybody has told it that its lease is
 * gone. So whoever looks at the signal makes it look at the lease first.
 */
export class AbortSwitch {
  /** Undefined once the attempt is over: what becomes of its lease then is no reason to stop. */
  #lease: Pick<Lease, "isHeld"> | undefined;
  #controller: AbortController | undefined;
  #reason: AbortReason | undefined;
  #onAbort: (() => void) | undefined;
  #onLeaseLost: (() => void) | undefined;

  /**
   * @param lease of the delivery that the attempt is made for; left out where nothing can be lost
   */
  constructor(lease?: Pick<Lease, "isHeld">) {
    this.#lease = lease;
  }

  /** As far as anybody has told. */
  get reason(): AbortReason | undefined {
    return this.#reason;
  }

  /** Looks at the lease as well, and tells the handler at once where it is gone. */
  look(): AbortReason | undefined {
    const known = this.#reason?.code === "lease-lost";
    if (!known && this.#lease?.isHeld() === false) this.loseLease();
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      clockedSignal(this.#controller.signal, () => this.look());
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** The attempt is over, and its lease will end: nobody looks at it any more. */
  rest(): void {
    this.#lease = undefined;
  }

  loseLease(): void {
    this.abort("lease-lost", LEASE_LOST);
  }

  /**
   * One listener, called at once if it is too late to wait. Set by the attempt that owns the
   * switch.
   */
  set onAbort(listener: () => void) {
    this.#onAbort = listener;
    if (this.#reason !== undefined) listener();
  }

  /**
   * One listener, for who can end the handler: the signal and `onAbort` tell of the first cause
   * only, and the lease may be lost during the grace. Called at once if it is lost.
   */
  set onLeaseLost(listener: () => void) {
    this.#onLeaseLost = listener;
    if (this.#reason?.code === "lease-lost") listener();
  }

  /**
   * The first cause stands, except that a lost lease overrules any other: then nothing may be
   * settled.
   */
  abort(cause: AbortCause, message: string): void {
    const before = this.#reason?.code;
    const first = before === undefined;
    if (before === "lease-lost" || (!first && cause !== "lease-lost")) return;
    this.#reason = reasonOf(cause, message);
    if (first) {
      this.#controller?.abort(this.#reason);
      this.#onAbort?.();
    }
    if (cause === "lease-lost") this.#onLeaseLost?.();
  }
}

function reasonOf(cause: AbortCause, message: string): AbortReason {
  return new MillraceError(cause, message) as AbortReason;
}
