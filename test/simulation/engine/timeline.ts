import { setImmediate } from "node:timers";

/** Something that happens at its time, unless it is cancelled before. */
export interface Planned {
  cancel(): void;
}

interface Entry {
  readonly atMs: number;
  readonly order: number;
  fire: (() => void) | undefined;
}

/**
 * All that happens in a world, in one heap: by time, and at one time in the order in which it was
 * planned. After each event everything that waits on promises gets its turn, so one seed gives one
 * order.
 */
export class Timeline {
  #nowMs = 0;
  #order = 0;
  #fired = 0;
  #turnsARound = 1;
  #turnsToCome = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #turn = (): void => {
    this.#turnsToCome -= 1;
    this.#waiting.shift()?.();
  };
  readonly #heap: Entry[] = [];

  /** Milliseconds since the world began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events so far. */
  get fired(): number {
    return this.#fired;
  }

  /** When the next event comes, milliseconds since the world began. */
  get nextMs(): number | undefined {
    return this.#heap[0]?.atMs;
  }

  plan(delayMs: number, fire: () => void): Planned {
    const entry: Entry = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      order: (this.#order += 1),
      fire,
    };
    this.#push(entry);
    return { cancel: () => void (entry.fire = undefined) };
  }

  /** @param until asked after each event; true ends the run early */
  run(forMs: number, until: () => boolean = () => false): Promise<void> {
    const endMs = this.#nowMs + forMs;
    let hasFired = false;
    return new Promise((resolve, reject) => {
      const next = (): void => {
        try {
          if (hasFired && until()) return resolve();
          const fire = this.#takeUntil(endMs);
          if (fire === undefined) return resolve();
          hasFired = true;
          fire();
          this.#inItsTurn(next);
        } catch (error) {
          reject(error);
        }
      };
      this.#inItsTurn(next);
    });
  }

  /**
   * Many events have one round of the event loop, and a turn of their own in it; a round costs more
   * than most events. For worlds in which nothing waits for a round of its own by `setImmediate`.
   */
  shareRounds(): void {
    this.#turnsARound = 256;
  }

  /** Promise chains that begin in a turn end within it. */
  #inItsTurn(act: () => void): void {
    this.#waiting.push(act);
    if (this.#turnsToCome > 0) return;
    for (; this.#turnsToCome < this.#turnsARound; this.#turnsToCome += 1) setImmediate(this.#turn);
  }

  /** The next event, at its time. @returns undefined where none comes any more */
  #takeUntil(endMs: number): (() => void) | undefined {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0]) {
      this.#pop();
      if (next.fire === undefined) continue;
      this.#nowMs = next.atMs;
      this.#fired += 1;
      return next.fire;
    }
    this.#nowMs = endMs;
    return undefined;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, heap[parent] as Entry)) break;
      heap[at] = heap[parent] as Entry;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry))
        child += 1;
      if (!isBefore(heap[child] as Entry, last)) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
