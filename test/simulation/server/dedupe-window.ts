/** What a message id was used for. */
interface Seen {
  readonly sequence: number;
  readonly atMs: number;
  readonly followsAt?: number | undefined;
  readonly own?: boolean | undefined;
}

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
