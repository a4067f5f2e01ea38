import { MillraceError } from "@millrace/core";
import type { Fleet, FleetNote, FleetQueue } from "./fleet.ts";
import type { FleetIntent } from "./fleet-audit.ts";

/**
 * Drains and purges that this dashboard began: it ends in order, and they before it. A purge puts
 * its queue back, which it paused. A drain goes on until its queue is empty, is opened again, or
 * the dashboard ends: a node that starts meanwhile may open it, and somebody has to close it then.
 * The queue stays closed in any case, and how much is left, its counts say.
 */
export class Drains {
  readonly #fleet: Pick<Fleet, "audit" | "queues">;
  readonly #onDefect: (error: unknown) => void;
  readonly #end = new AbortController();
  readonly #running = new Map<string, Promise<void>>();
  readonly #purges = new Set<Promise<unknown>>();

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
    for (let running; (running = this.#running.get(queue)) !== undefined; await running) {
      const status = await this.#fleet.queues.snapshot(queue);
      if (status.closed !== undefined) return leftOf(status);
      // It was opened again, which its drain is about to see.
    }
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

  /** @throws what purging throws */
  async purge<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const purge = act(this.#end.signal);
    this.#purges.add(purge);
    try {
      return await purge;
    } finally {
      this.#purges.delete(purge);
    }
  }

  async close(): Promise<void> {
    this.#end.abort();
    await Promise.allSettled([...this.#running.values(), ...this.#purges]);
  }
}

/** Delayed jobs wait for their time, and nobody waits for them. */
function leftOf({ queued, running, blocked }: FleetQueue): number {
  return queued + running + blocked;
}
