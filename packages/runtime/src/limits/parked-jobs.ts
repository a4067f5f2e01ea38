import type { Broker, Clock, Logger } from "@millrace/core";

/** `delayed`: for the start that a producer gave it. `blocked`: at a gate, until it is let in. */
export type ParkedKind = "delayed" | "blocked";

/** Where nobody has set a quota, nor how many jobs the queue takes. */
const DEFAULT_MAX_PARKED = 1_000_000;
/** A count is believed for so long while there is room, */
const ROOM_MS = 1_000;
/** and for so long when there is none: who waits for room is to find it soon. */
const FULL_MS = 250;
/**
 * Counting takes no more than a share of the time of whatever counts: a long list is counted less
 * often.
 */
const REST = 10;
const PAGE = 1_000;
const WARN_EVERY_MS = 60_000;

export interface ParkedJobsHost {
  readonly broker: Pick<Broker, "queues" | "delayed" | "blocked">;
  readonly clock: Clock;
  readonly log: Logger;
  /** What is set for the queue, by an operator or by this node's options. */
  readonly maxParked: (queue: string) => number | undefined;
}

interface Count {
  most: number;
  counted: number;
  /** By this node, since what was counted. */
  added: number;
  /** By the monotonic clock. */
  countedAt: number;
  tookMs: number;
  counting: Promise<void> | undefined;
}

/**
 * How many jobs of its producers a queue may park: for later, and at gates. Asked only for a job
 * that is about to be parked; what is there is counted at most once a second, and what this node
 * adds meanwhile is known. So other nodes' additions of that second are what the quota may be
 * exceeded by.
 */
export class ParkedJobs {
  readonly #host: ParkedJobsHost;
  readonly #counts = new Map<string, Count>();
  readonly #warnedAt = new Map<string, number>();

  constructor(host: ParkedJobsHost) {
    this.#host = host;
  }

  /**
   * Counts one more in, where there is room.
   *
   * @returns how many there may be, where there is none
   * @throws MillraceError where the broker can't be asked
   */
  async take(queue: string, kind: ParkedKind): Promise<number | undefined> {
    const key = `${kind} ${queue}`;
    let count = this.#counts.get(key);
    if (count === undefined) {
      count = newCount();
      this.#counts.set(key, count);
    }
    if (!this.#isFresh(queue, count)) {
      count.counting ??= this.#count(queue, kind, count);
      await count.counting;
    }
    const most = this.#most(queue, count);
    if (count.counted + count.added >= most) {
      if (kind === "blocked") this.#warn(queue, most);
      return most;
    }
    count.added += 1;
    return undefined;
  }

  /** A person who looks why the queue fills finds this line. */
  #warn(queue: string, most: number): void {
    const now = this.#host.clock.monotonic();
    if (now - (this.#warnedAt.get(queue) ?? Number.NEGATIVE_INFINITY) < WARN_EVERY_MS) return;
    this.#warnedAt.set(queue, now);
    this.#host.log.warn(
      { queue, maxParked: most },
      "the queue's limit of blocked jobs is reached; further jobs occupy slots",
    );
  }

  #most(queue: string, { most }: Count): number {
    return this.#host.maxParked(queue) ?? most;
  }

  #isFresh(queue: string, count: Count): boolean {
    const hasRoom = count.counted + count.added < this.#most(queue, count);
    const ageMs = this.#host.clock.monotonic() - count.countedAt;
    return ageMs < Math.max(hasRoom ? ROOM_MS : FULL_MS, count.tookMs * REST);
  }

  async #count(queue: string, kind: ParkedKind, count: Count): Promise<void> {
    const { clock, broker, maxParked } = this.#host;
    const since = clock.monotonic();
    const { added } = count;
    try {
      const set = maxParked(queue);
      count.most = set ?? (await broker.queues.settings(queue)).maxJobs ?? DEFAULT_MAX_PARKED;
      count.counted = await this.#countUpTo(queue, kind, count.most);
      // What was added meanwhile may be in it or not.
      count.added -= added;
      count.countedAt = clock.monotonic();
      count.tookMs = count.countedAt - since;
    } finally {
      count.counting = undefined;
    }
  }

  /** The cheap question first: what is fewer in all queues together is fewer in one. */
  async #countUpTo(queue: string, kind: ParkedKind, most: number): Promise<number> {
    const { delayed, blocked } = this.#host.broker;
    const store = kind === "delayed" ? delayed : blocked;
    const inAll = await store.count();
    if (inAll < most) return inAll;
    const inQueue = await store.count(queue);
    return inQueue < most || kind === "blocked" ? inQueue : this.#countByProducers(queue, most);
  }

  /** Retries and snoozes lie among the delayed jobs, and take no room from producers. */
  async #countByProducers(queue: string, most: number): Promise<number> {
    const { delayed } = this.#host.broker;
    let found = 0;
    for (let after = 0; found < most;) {
      const page = await delayed.list({ queue, limit: PAGE, after });
      if (page.length === 0) break;
      found += page.filter(({ byProducer }) => byProducer).length;
      after = Math.max(...page.map(({ position }) => position));
    }
    return found;
  }
}

function newCount(): Count {
  return {
    most: DEFAULT_MAX_PARKED,
    counted: 0,
    added: 0,
    countedAt: Number.NEGATIVE_INFINITY,
    tookMs: 0,
    counting: undefined,
  };
}
