import type { QueueMessage } from "../../envelope/message.ts";
import type { Clock, Timer } from "../../time/clock.ts";
import type { Publication } from "./memory-queue.ts";

export interface DelayedJob {
  readonly queue: string;
  readonly notBefore: number;
  readonly storedAt: number;
  readonly publication: Publication;
}

/** One node's part in moving. */
export interface Mover {
  readonly isConnected: () => boolean;
}

/** A queue that is full or gone is asked again after this long; the job stays where it is. */
const TRY_AGAIN_MS = 1_000;

/** Jobs that wait for their time, and the moving of those that are due. */
export class MemoryDelayed {
  readonly #clock: Clock;
  readonly #forward: (job: DelayedJob) => void;
  readonly #jobs = new Map<string, DelayedJob>();
  readonly #movers = new Set<Mover>();
  #timer: Timer | undefined;

  /** @param forward publishes to the job's queue; throws where that takes nothing now */
  constructor(clock: Clock, forward: (job: DelayedJob) => void) {
    this.#clock = clock;
    this.#forward = forward;
  }

  add(job: DelayedJob): void {
    const { messageId } = job.publication;
    if (!this.#jobs.has(messageId)) this.#jobs.set(messageId, job);
    this.rearm();
  }

  join(mover: Mover): void {
    this.#movers.add(mover);
    this.rearm();
  }

  leave(mover: Mover): void {
    this.#movers.delete(mover);
    this.rearm();
  }

  list(queue?: string): readonly DelayedJob[] {
    return [...this.#jobs.values()].filter((job) => queue === undefined || job.queue === queue);
  }

  removeAll(queue: string): void {
    for (const [messageId, job] of this.#jobs)
      if (job.queue === queue) this.#jobs.delete(messageId);
    this.rearm();
  }

  rearm(delayMs = this.#nextInMs()): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const active = [...this.#movers].some((mover) => mover.isConnected());
    if (active && Number.isFinite(delayMs))
      this.#timer = this.#clock.setTimer(Math.max(0, delayMs), () => this.#move());
  }

  #nextInMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { notBefore } of this.#jobs.values()) next = Math.min(next, notBefore);
    return next - this.#clock.now();
  }

  #move(): void {
    this.#timer = undefined;
    const due = [...this.#jobs.entries()].filter(([, job]) => job.notBefore <= this.#clock.now());
    due.sort(([, a], [, b]) => a.notBefore - b.notBefore);
    let refused = false;
    for (const [messageId, job] of due) {
      try {
        this.#forward(job);
        this.#jobs.delete(messageId);
      } catch {
        // Full or gone; the job keeps its place here, as it would in a delayed stream.
        refused = true;
      }
    }
    this.rearm(refused ? TRY_AGAIN_MS : undefined);
  }
}

/** A delayed job as the message it will be. */
export function messageOfDelayed({
  queue,
  storedAt,
  publication: { messageId: _, ...rest },
}: DelayedJob): QueueMessage {
  return { ...rest, queue, sequence: 0, storedAt };
}
