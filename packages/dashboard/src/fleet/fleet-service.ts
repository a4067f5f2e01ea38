import { type Clock, MillraceError, type Stoppable, type Timer } from "@millrace/core";

/** An outage, or rights that are missing. */
const AGAIN_MS = 15_000;

type State =
  | { readonly kind: "beginning" }
  | { readonly kind: "waiting"; readonly timer: Timer }
  | { readonly kind: "serving"; readonly serving: Stoppable }
  | { readonly kind: "closed" };

/**
 * What a dashboard does for its fleet beside its pages: carries out operations, also those that one
 * which died has left, and takes samples. Nobody has to open a page for that.
 */
export class FleetService {
  readonly #open: () => Promise<Stoppable>;
  readonly #clock: Clock;
  readonly #onDefect: (error: unknown) => void;
  #state: State = { kind: "beginning" };

  constructor(
    open: () => Promise<Stoppable>,
    clock: Clock,
    onDefect: (error: unknown) => void = () => {},
  ) {
    this.#open = open;
    this.#clock = clock;
    this.#onDefect = onDefect;
    void this.#begin();
  }

  async close(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: "closed" };
    if (state.kind === "waiting") state.timer.cancel();
    if (state.kind === "serving") await state.serving.stop();
  }

  async #begin(): Promise<void> {
    this.#state = { kind: "beginning" };
    try {
      const serving = await this.#open();
      if (this.#isClosed()) await serving.stop();
      else this.#state = { kind: "serving", serving };
    } catch (error) {
      if (!MillraceError.is(error)) this.#onDefect(error);
      if (this.#isClosed()) return;
      const timer = this.#clock.setTimer(AGAIN_MS, () => void this.#begin());
      timer.unref?.();
      this.#state = { kind: "waiting", timer };
    }
  }

  /** Asked anew after each wait. */
  #isClosed(): boolean {
    return this.#state.kind === "closed";
  }
}
