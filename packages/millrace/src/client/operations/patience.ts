import type { Broker, Clock } from "@millrace/core";
import { nodesOf } from "../nodes.ts";
import { controlsOf } from "../queues/queue-status.ts";

/** Until then a node has to have settled a job that it has in hand. */
export const PATIENCE_MS = 5_000;

/**
 * How long an undo waits for nodes to settle jobs: once for each queue in a step, and no more at
 * all for as long as the queue is paused or no node serves it. Job by job, thousands would take
 * hours.
 */
export class Patience {
  readonly #broker: Broker;
  readonly #clock: Clock;
  readonly #deadlines = new Map<string, number>();
  /** Since when nobody settles jobs of a queue, by the server's clock. */
  readonly #still = new Map<string, number>();

  constructor(broker: Broker, clock: Clock) {
    this.#broker = broker;
    this.#clock = clock;
  }

  async beginStep(): Promise<void> {
    this.#deadlines.clear();
    // It was resumed, or a node has come: that one settles what lies there.
    for (const queue of this.#still.keys())
      if (await this.#isServed(queue)) this.#still.delete(queue);
  }

  /** A job was settled then, perhaps by a node that has not said yet that it is there. */
  settled(queue: string, at: number): void {
    const since = this.#still.get(queue);
    if (since !== undefined && at > since) this.#still.delete(queue);
  }

  deadlineOf(queue: string): number {
    const now = this.#clock.monotonic();
    if (this.#still.has(queue)) return now;
    const deadline = this.#deadlines.get(queue) ?? now + PATIENCE_MS;
    this.#deadlines.set(queue, deadline);
    return deadline;
  }

  /** A job was not settled in time: it is asked whether others can be. */
  async ranOut(queue: string): Promise<void> {
    if (this.#still.has(queue)) return;
    if (!(await this.#isServed(queue))) this.#still.set(queue, await this.#broker.serverNow());
  }

  async #isServed(queue: string): Promise<boolean> {
    if ((await controlsOf(this.#broker, queue)).paused !== undefined) return false;
    const nodes = await nodesOf(this.#broker).list();
    return nodes.some(
      ({ state, obeys, queues }) =>
        state === "running" && obeys === "running" && queues.some((one) => one.queue === queue),
    );
  }
}
