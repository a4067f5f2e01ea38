/** What a message id was used for. */
interface Seen {
  readonly sequence: number;
  readonly atMs: number;
  readonly followsAt?: number | undefined;
  readonly own?: boolean | undefined;
}

/**
 * A generation's message id, when the first message of its enqueue was stored, and where that lay
 * if it had a key of its own.
 */
const OF_ENQUEUE = /^(millrace\/.+\/\d+)\/(\d+)(?:@(\d+))?$/;

/**
 * A stream's memory of message ids. What a crash leaves of it is what the stream's stored messages
 * say.
 */
export class DedupeWindow {
  readonly windowMs: number;
  readonly #seen = new Map<string, Seen>();

  constructor(windowMs: number) {
    this.windowMs = windowMs;
  }

  recall(id: string, nowMs: number): Seen | undefined {
    for (const [known, { atMs }] of this.#seen) {
      if (atMs + this.windowMs > nowMs) break;
      this.#seen.delete(known);
    }
    return this.#seen.get(id);
  }

  /**
   * The same of what a job goes on with, whose id here names the first message of its enqueue: two
   * first messages within this time are of one enqueue, and the real queue knows them as one. What
   * had a key of its own is nobody's duplicate, as `isSameEnqueue` says.
   */
  recallEnqueue(id: string, nowMs: number): Seen | undefined {
    const known = this.recall(id, nowMs);
    const [, of, first, place] = OF_ENQUEUE.exec(id) ?? [];
    if (known !== undefined || of === undefined) return known;
    for (const [other, seen] of this.#seen) {
      if (!other.startsWith(`${of}/`)) continue;
      const [, ofOther, firstOther, placeOther] = OF_ENQUEUE.exec(other) ?? [];
      if (
        ofOther === of &&
        placeOther === place &&
        Math.abs(Number(first) - Number(firstOther)) < this.windowMs
      )
        return seen;
    }
    return undefined;
  }

  note(id: string, seen: Seen): void {
    this.#seen.delete(id);
    this.#seen.set(id, seen);
  }

  /** @param stored in the order of storing */
  rebuild(stored: Iterable<Seen & { readonly messageId: string }>, nowMs: number): void {
    this.#seen.clear();
    for (const { messageId, ...seen } of stored)
      if (seen.atMs + this.windowMs > nowMs) this.#seen.set(messageId, seen);
  }
}
