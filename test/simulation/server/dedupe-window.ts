/**
 * A stream's memory of message ids. What a crash leaves of it is what the stream's stored messages
 * say.
 */
export class DedupeWindow {
  readonly windowMs: number;
  readonly #seen = new Map<string, { readonly sequence: number; readonly atMs: number }>();

  constructor(windowMs: number) {
    this.windowMs = windowMs;
  }

  recall(id: string, nowMs: number): number | undefined {
    for (const [known, { atMs }] of this.#seen) {
      if (atMs + this.windowMs > nowMs) break;
      this.#seen.delete(known);
    }
    return this.#seen.get(id)?.sequence;
  }

  note(id: string, sequence: number, atMs: number): void {
    this.#seen.delete(id);
    this.#seen.set(id, { sequence, atMs });
  }

  /** @param stored in the order of storing */
  rebuild(
    stored: Iterable<{
      readonly messageId: string;
      readonly sequence: number;
      readonly atMs: number;
    }>,
    nowMs: number,
  ): void {
    this.#seen.clear();
    for (const { messageId, sequence, atMs } of stored)
      if (atMs + this.windowMs > nowMs) this.#seen.set(messageId, { sequence, atMs });
  }
}
