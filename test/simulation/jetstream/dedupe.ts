import { fieldOf } from "./packet.ts";
import type { Stored } from "./stored.ts";

/** A stream's memory of message ids. After a crash it is what the stored messages say. */
export class Dedupe {
  readonly #seen = new Map<string, { readonly seq: number; readonly atMs: number }>();

  recall(id: string, nowMs: number, windowMs: number): number | undefined {
    for (const [known, { atMs }] of this.#seen) {
      if (atMs + windowMs > nowMs) break;
      this.#seen.delete(known);
    }
    return this.#seen.get(id)?.seq;
  }

  note(id: string, seq: number, atMs: number): void {
    this.#seen.delete(id);
    this.#seen.set(id, { seq, atMs });
  }

  rebuild(stored: Iterable<Stored>, nowMs: number, windowMs: number): void {
    this.#seen.clear();
    for (const { seq, headers, atMs } of stored) {
      const id = fieldOf(headers, "Nats-Msg-Id");
      if (id !== undefined && atMs + windowMs > nowMs) this.#seen.set(id, { seq, atMs });
    }
  }
}
