import { type AbortCause, MillraceError } from "@millrace/core";

/**
 * Tells a handler to stop, once, and remembers why. The controller is only made when somebody looks at the
 * signal: most short jobs never do.
 */
export class AbortSwitch {
  #controller: AbortController | undefined;
  #reason: MillraceError | undefined;
  #onAbort: (() => void) | undefined;

  get cause(): AbortCause | undefined {
    return this.#reason?.code as AbortCause | undefined;
  }

  get reason(): MillraceError | undefined {
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
      if (cause === "lease-lost") this.#reason = new MillraceError(cause, message);
      return;
    }
    this.#reason = new MillraceError(cause, message);
    this.#controller?.abort(this.#reason);
    this.#onAbort?.();
  }
}
