import { type AbortCause, MillraceError } from "@millrace/core";

/** What the handler's signal carries as its `reason`. */
export interface AbortReason extends MillraceError {
  readonly code: AbortCause;
}

/**
 * Tells a handler to stop, once, and remembers why. The controller is only made when somebody looks at the
 * signal: most short jobs never do.
 */
export class AbortSwitch {
  #controller: AbortController | undefined;
  #reason: AbortReason | undefined;
  #onAbort: (() => void) | undefined;

  get reason(): AbortReason | undefined {
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** One listener, called at once if it is too late to wait. Set by the attempt that owns the switch. */
  set onAbort(listener: () => void) {
    this.#onAbort = listener;
    if (this.#reason !== undefined) listener();
  }

  /** The first cause stands, except that a lost lease overrules any other: then nothing may be settled. */
  abort(cause: AbortCause, message: string): void {
    if (this.#reason !== undefined) {
      if (cause === "lease-lost") this.#reason = reasonOf(cause, message);
      return;
    }
    this.#reason = reasonOf(cause, message);
    this.#controller?.abort(this.#reason);
    this.#onAbort?.();
  }
}

function reasonOf(cause: AbortCause, message: string): AbortReason {
  return new MillraceError(cause, message) as AbortReason;
}
