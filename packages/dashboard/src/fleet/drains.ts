import { MillraceError } from "@millrace/core";
import type { Fleet, FleetIntent, FleetNote, FleetQueue } from "./fleet.ts";

/**
 * Drains that this dashboard began. Each goes on until its queue is empty, is opened again, or the
 * dashboard ends: a node that starts meanwhile may open it, and somebody has to close it then. The
 * queue stays closed in any case, and how much is left, its counts say.
 */
export class Drains {
  readonly #fleet: Pick<Fleet, "audit" | "queues">;
  readonly #onDefect: (error: unknown) => void;
  readonly #end = new AbortController();
  readonly #running = new Map<string, Promise<void>>();

  constructor(
    fleet: Pick<Fleet, "audit" | "queues">,
    onDefect: (error: unknown) => void = () => {},
  ) {
    this.#fleet = fleet;
    this.#onDefect = onDefect;
  }

  /**
   * The audit has it as begun until it ends.
   *
   * @returns how many jobs were left at the first look: the queue is closed by then
   * @throws what draining throws, where it does before that
   */
  async begin(queue: string, intent: FleetIntent, note: FleetNote): Promise<number> {
    if (this.#running.has(queue)) return leftOf(await this.#fleet.queues.snapshot(queue));
    const first = Promise.withResolvers<number>();
    let isBegun = false;
    const onProgress = (status: FleetQueue): void => {
      isBegun = true;
      first.resolve(leftOf(status));
    };
    const { signal } = this.#end;
    const drain = this.#fleet.audit
      .perform(
        intent,
        () => this.#fleet.queues.drain(queue, { ...note, signal, onProgress }),
        ({ drained }) => ({ count: drained ? 1 : 0 }),
      )
      .then(({ status }) => first.resolve(leftOf(status)))
      .catch((error: unknown) => {
        if (isBegun && !signal.aborted && !MillraceError.is(error)) this.#onDefect(error);
        first.reject(error);
      })
      .finally(() => this.#running.delete(queue));
    this.#running.set(queue, drain);
    return first.promise;
  }

  async close(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#running.values());
  }
}

/** Delayed jobs wait for their time, and nobody waits for them. */
function leftOf({ queued, running, blocked }: FleetQueue): number {
  return queued + running + blocked;
}
