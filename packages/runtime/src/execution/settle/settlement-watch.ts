import {
  type Clock,
  type Logger,
  type MetricsCollector,
  recordError,
  type SettlementInput,
  type Timer,
} from "@millrace/core";

export interface SettlementWatchOptions {
  readonly clock: Pick<Clock, "monotonic" | "setTimer">;
  readonly metrics: MetricsCollector;
  readonly log: Logger;
  /** A settlement that fails for so long is stuck. */
  readonly leaseMs: number;
}

/** A queue with settlements that don't go through. */
export interface StuckQueue {
  readonly queue: string;
  /**
   * Settlements under way that have failed for a lease, and jobs that were abandoned for it and are
   * not known to be settled.
   */
  readonly jobs: number;
  /** Of the last failure. */
  readonly reason: string;
}

/** Whose settlement it is. */
type Of = Pick<SettlementInput, "envelope" | "message">;

interface Trouble {
  readonly sinceMono: number;
  stuck: boolean;
}

interface QueueTrouble {
  /** Settlements that have failed and go on being tried, by message. */
  readonly underWay: Map<string, Trouble>;
  /** Jobs that were abandoned, until they can have come back to somebody. */
  readonly abandoned: Map<string, number>;
  /** Since then nothing of the queue was settled. */
  settledMono: number;
  /** Nothing is pulled before. */
  pausedUntilMono: number;
  /** Of its end. */
  pause: Timer | undefined;
  /** How often in a row a job was abandoned. */
  streak: number;
  reason: string;
}

/** Pauses grow up to this. */
const LONGEST_PAUSE_MS = 10 * 60_000;
/** A job that was abandoned comes back after a lease, and may be stuck there once more. */
const REMEMBERED_LEASES = 3;

/**
 * What a node knows of its settlements that don't go through. As long as nothing of a queue can be
 * settled, nothing of it is pulled: each further job would only run into the same wall, and be run
 * again. Then a single job tries it, after a pause that doubles. While other jobs of the queue are
 * settled it is one job's trouble, and the queue goes on.
 *
 * Costs nothing while all is well: `isQuiet` is all that is asked then.
 */
export class SettlementWatch {
  readonly #options: SettlementWatchOptions;
  readonly #queues = new Map<string, QueueTrouble>();
  readonly #onChange: ((queue: string) => void)[] = [];

  constructor(options: SettlementWatchOptions) {
    this.#options = options;
  }

  get leaseMs(): number {
    return this.#options.leaseMs;
  }

  /** Whether no settlement has any trouble, nor had it lately. */
  get isQuiet(): boolean {
    return this.#queues.size === 0;
  }

  /** @param listener told when more of a queue may be pulled than before, or less */
  onChange(listener: (queue: string) => void): void {
    this.#onChange.push(listener);
  }

  /**
   * A settlement could not be carried out, and is to be tried again.
   *
   * @returns for how long it has failed by now, milliseconds
   */
  failed({ envelope, message }: Of, error: unknown, doing: string): number {
    const key = keyOf(message);
    const { clock, leaseMs, log } = this.#options;
    const now = clock.monotonic();
    const queue = this.#of(envelope.queue);
    const recorded = recordError(error);
    queue.reason = `${doing}: ${recorded.type}`;
    const trouble = queue.underWay.get(key) ?? { sinceMono: now, stuck: false };
    queue.underWay.set(key, trouble);
    const forMs = now - trouble.sinceMono;
    if (forMs >= leaseMs && !trouble.stuck) {
      trouble.stuck = true;
      log.error(
        { job: envelope.id, queue: envelope.queue, name: envelope.name, doing, error: recorded },
        "a settlement can't be carried out; nothing more is pulled from the queue until one can",
      );
      this.#changed(envelope.queue, queue);
    }
    return forMs;
  }

  /** It was carried out, or is another's by now. */
  over({ envelope, message }: Of, settled: boolean): void {
    const key = keyOf(message);
    const queue = this.#queues.get(envelope.queue);
    if (queue === undefined) return;
    queue.underWay.delete(key);
    if (settled) {
      queue.abandoned.delete(key);
      queue.settledMono = this.#options.clock.monotonic();
      queue.streak = 0;
      queue.pausedUntilMono = queue.settledMono;
      queue.pause?.cancel();
    }
    this.#changed(envelope.queue, queue);
  }

  /** It was abandoned: the job comes back to somebody when its lease is over. */
  abandoned({ envelope, message }: Of): void {
    const key = keyOf(message);
    const { clock, leaseMs, metrics } = this.#options;
    const queue = this.#of(envelope.queue);
    const now = clock.monotonic();
    const since = queue.underWay.get(key)?.sinceMono ?? now;
    queue.underWay.delete(key);
    queue.abandoned.set(key, now + REMEMBERED_LEASES * leaseMs);
    if (queue.settledMono < since && queue.pausedUntilMono <= now) {
      const pauseMs = Math.min(leaseMs * 2 ** queue.streak, LONGEST_PAUSE_MS);
      queue.pausedUntilMono = now + pauseMs;
      queue.streak += 1;
      queue.pause = clock.setTimer(pauseMs, () => this.#changed(envelope.queue, queue));
    }
    metrics.increment("millrace_settlements_abandoned_total", { queue: envelope.queue });
    this.#changed(envelope.queue, queue);
  }

  /** How many jobs of a queue a node may have in its hands. */
  most(name: string): number {
    const queue = this.#queues.get(name);
    if (queue === undefined) return Number.POSITIVE_INFINITY;
    const now = this.#options.clock.monotonic();
    for (const { stuck, sinceMono } of queue.underWay.values())
      if (stuck && queue.settledMono < sinceMono) return 0;
    if (now < queue.pausedUntilMono) return 0;
    return queue.streak > 0 ? 1 : Number.POSITIVE_INFINITY;
  }

  /** No timer stays behind. */
  close(): void {
    for (const { pause } of this.#queues.values()) pause?.cancel();
  }

  /** For health and reports. */
  stuck(): readonly StuckQueue[] {
    const found: StuckQueue[] = [];
    for (const [name, queue] of this.#queues) {
      const jobs = this.#count(name, queue);
      if (jobs > 0) found.push({ queue: name, jobs, reason: queue.reason });
    }
    return found;
  }

  #count(name: string, queue: QueueTrouble): number {
    const now = this.#options.clock.monotonic();
    for (const [key, until] of queue.abandoned) if (until <= now) queue.abandoned.delete(key);
    const stuck = [...queue.underWay.values()].filter((trouble) => trouble.stuck).length;
    const jobs = stuck + queue.abandoned.size;
    if (jobs === 0 && queue.underWay.size === 0 && queue.streak === 0) this.#queues.delete(name);
    return jobs;
  }

  #of(name: string): QueueTrouble {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = {
        underWay: new Map(),
        abandoned: new Map(),
        settledMono: Number.NEGATIVE_INFINITY,
        pausedUntilMono: Number.NEGATIVE_INFINITY,
        pause: undefined,
        streak: 0,
        reason: "",
      };
      this.#queues.set(name, queue);
    }
    return queue;
  }

  #changed(name: string, queue: QueueTrouble): void {
    this.#options.metrics.gauge(
      "millrace_settlements_stuck",
      { queue: name },
      this.#count(name, queue),
    );
    for (const listener of this.#onChange) listener(name);
  }
}

/** Of the delivery, on this node. */
function keyOf({ queue, sequence }: Of["message"]): string {
  return `${queue}/${sequence}`;
}
