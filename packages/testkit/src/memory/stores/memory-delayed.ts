import {
  type Clock,
  type DelayedJob,
  type DelayedQuery,
  type Envelope,
  type QueueMessage,
  readEnvelope,
  tracePart,
  type Timer,
  waitsForOwnStart,
} from "@millrace/core";
import type { NewMessage } from "../publication.ts";
import { withinBytes } from "./within-bytes.ts";

/** A delayed job as it is kept. */
export interface Delayed {
  readonly queue: string;
  readonly notBefore: number;
  readonly storedAt: number;
  readonly publication: NewMessage;
}

export interface DelayedOfId {
  readonly job: Delayed;
  readonly envelope: Envelope;
}

/** The position only grows, as a stream's does. */
type Kept = Delayed & { readonly position: number };

/** One node's part in moving. */
export interface Mover {
  readonly isConnected: () => boolean;
}

/** A queue that is full or gone is asked again after this long; the job stays where it is. */
const TRY_AGAIN_MS = 1_000;

/** Jobs that wait for their time, and the moving of those that are due. */
export class MemoryDelayed {
  readonly #clock: Clock;
  readonly #forward: (job: Delayed) => void;
  readonly #jobs = new Map<string, Kept>();
  readonly #movers = new Set<Mover>();
  #timer: Timer | undefined;
  #lastPosition = 0;

  /** @param forward publishes to the job's queue; throws where that takes nothing now */
  constructor(clock: Clock, forward: (job: Delayed) => void) {
    this.#clock = clock;
    this.#forward = forward;
  }

  add(job: Delayed): void {
    const key = keyOf(job);
    if (!this.#jobs.has(key)) this.#keep(key, job);
    this.rearm();
  }

  /** Puts the job that is kept under this message id at another place in time. */
  replace(job: Delayed): void {
    const key = keyOf(job);
    if (this.#jobs.delete(key)) this.#keep(key, job);
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

  /** In the order of their positions. */
  list(queue?: string): readonly Kept[] {
    return [...this.#jobs.values()].filter((job) => queue === undefined || job.queue === queue);
  }

  /** The position of the newest one there ever was. */
  get newest(): number {
    return this.#lastPosition;
  }

  page(query: DelayedQuery): readonly DelayedJob[] {
    const { queue, limit = 100, after = 0, until = Infinity, bytes, envelopes } = query;
    const part = this.list(queue)
      .filter(({ position }) => position > after && position <= until)
      .slice(0, limit);
    return withinBytes(part, bytes, ({ publication }) => publication.body)
      .map((kept) => listed(kept, envelopes === true))
      .filter((job) => job !== undefined)
      .sort((a, b) => a.notBefore - b.notBefore);
  }

  /** All that wait here under an id, oldest first: an id may be another job's too. */
  of(id: string, queue: string): readonly DelayedOfId[] {
    return this.list(queue).flatMap((job) => {
      const read = readEnvelope(messageOfDelayed(job));
      return read.ok && read.envelope.id === id ? { job, envelope: read.envelope } : [];
    });
  }

  removeAll(queue: string): void {
    for (const [key, job] of this.#jobs) if (job.queue === queue) this.#jobs.delete(key);
    this.rearm();
  }

  rearm(delayMs = this.#nextInMs()): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const active = [...this.#movers].some((mover) => mover.isConnected());
    if (active && Number.isFinite(delayMs))
      this.#timer = this.#clock.setTimer(Math.max(0, delayMs), () => this.#move());
  }

  #keep(key: string, job: Delayed): void {
    this.#jobs.set(key, { ...job, position: (this.#lastPosition += 1) });
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
    for (const [key, job] of due) {
      try {
        this.#forward(job);
        this.#jobs.delete(key);
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
  publication: { messageId: _, followsAt: _at, ...rest },
}: Delayed): QueueMessage {
  return { ...rest, queue, sequence: 0, storedAt };
}

/** Two queues may each have a job of one id. */
function keyOf({ queue, publication }: Delayed): string {
  return `${queue} ${publication.messageId} ${publication.followsAt ?? ""}`;
}

function listed(kept: Kept, withEnvelope: boolean): DelayedJob | undefined {
  const read = readEnvelope(messageOfDelayed(kept));
  if (!read.ok) return undefined;
  const { id, queue, name, lane, generation, attempts } = read.envelope;
  const { notBefore, storedAt, position } = kept;
  return {
    ...(withEnvelope ? { envelope: read.envelope } : {}),
    ...{ id, queue, name, notBefore, generation, attempts, storedAt, position },
    byProducer: waitsForOwnStart(read.envelope),
    ...(lane === undefined ? {} : { lane }),
    ...tracePart(read.envelope.headers),
  };
}
