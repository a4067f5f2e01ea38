import { ensureStream, type StreamMaker } from "./ensure-stream.ts";
import type { StreamPlan } from "./streams.ts";

/** A stream that is made when it is first needed, once a connection. A failure is not kept. */
export class StreamOnce {
  readonly #maker: StreamMaker;
  readonly #plan: StreamPlan;
  #made: Promise<unknown> | undefined;

  constructor(maker: StreamMaker, plan: StreamPlan) {
    this.#maker = maker;
    this.#plan = plan;
  }

  ensure(): Promise<unknown> {
    this.#made ??= ensureStream(this.#maker, this.#plan).catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  /** It was removed under way. */
  forget(): void {
    this.#made = undefined;
  }
}
