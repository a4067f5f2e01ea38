import {
  type Broker,
  type Clock,
  formatMs,
  MillraceError,
  type Timer,
  wasEnqueuedSince,
} from "@millrace/core";
import { HOPELESS } from "./jobs/hopeless.ts";
import type { AwaitedJob } from "./jobs/results/awaited-job.ts";

/** How long a job that nobody knows may take to appear, where its reader does not say. */
export const APPEARS_WITHIN_MS = 5_000;
/**
 * A job is unknown after two looks so far apart: one may miss a job that moves from one place to
 * another meanwhile.
 */
const BETWEEN_LOOKS_MS = 1_000;

/**
 * Finds out whether a job is there at all, for who waits for it and knows no more than its id. A
 * queue has to be searched for that, so it happens late, when most jobs have ended, and once for a
 * job that is found. The time begins anew with each connection.
 */
export class Appearance {
  readonly #broker: Broker;
  readonly #job: AwaitedJob;
  readonly #withinMs: number;
  readonly #clock: Clock;
  readonly #onUnknown: (error: MillraceError) => void;
  #timer: Timer | undefined;
  /** Looks in a row that found nothing. */
  #misses = 0;
  #over = false;

  constructor(
    broker: Broker,
    job: AwaitedJob,
    withinMs: number,
    clock: Clock,
    onUnknown: (error: MillraceError) => void,
  ) {
    this.#broker = broker;
    this.#job = job;
    this.#withinMs = withinMs;
    this.#clock = clock;
    this.#onUnknown = onUnknown;
    this.restart();
  }

  /** There is a connection, perhaps after an outage, which says nothing about the job. */
  restart(): void {
    this.#misses = 0;
    this.#lookAfter(Math.max(0, this.#withinMs - BETWEEN_LOOKS_MS));
  }

  stop(): void {
    this.#over = true;
    this.#timer?.cancel();
  }

  #lookAfter(ms: number): void {
    this.#timer?.cancel();
    if (!this.#over)
      this.#timer = this.#clock.setTimer(ms, () => {
        void inTurn(this.#broker, () => this.#look());
      });
  }

  async #look(): Promise<void> {
    if (this.#over) return;
    try {
      if (await isKnown(this.#broker, this.#job)) return this.stop();
      if (this.#broker.status === "connected") this.#misses += 1;
    } catch (error) {
      // What can't be looked for is waited for.
      if (!MillraceError.is(error) || HOPELESS.has(error.code)) return this.stop();
    }
    if (this.#misses < 2) return this.#lookAfter(BETWEEN_LOOKS_MS);
    const { id, queue } = this.#job;
    this.#onUnknown(
      new MillraceError(
        "job-not-found",
        `No job ${id} in queue ${queue} waits, runs or is in the history, and none appeared within ${formatMs(this.#withinMs)}. It may never have been enqueued, or have left the history. Where it may come later, say how much: appearsWithin.`,
      ),
    );
  }
}

/** The record is cheap to read, so it is read before the queue is searched. */
async function isKnown(broker: Broker, { id, queue }: AwaitedJob): Promise<boolean> {
  if ((await broker.history.read({ id, queue })).length > 0) return true;
  return wasEnqueuedSince(broker, { id, queue }, 0);
}

/** The last search of each broker's. */
const lines = new WeakMap<Broker, Promise<void>>();

/** A search reads a whole queue: however many wait, one goes on at a time. */
function inTurn(broker: Broker, look: () => Promise<void>): Promise<void> {
  const turn = (lines.get(broker) ?? Promise.resolve()).then(look);
  lines.set(broker, turn);
  return turn;
}
