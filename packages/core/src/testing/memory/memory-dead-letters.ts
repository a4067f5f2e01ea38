import type {
  DeadLetterQuery,
  DeadLetterStore,
  StoredDeadLetter,
} from "../../broker/dead-letter-store.ts";
import type { DeadLetter } from "../../settlement/dead-letter.ts";

/** All dead letters, shared by every connection. */
export class DeadLetterShelf {
  #lastSequence = 0;
  readonly #letters = new Map<number, StoredDeadLetter>();

  add(letter: DeadLetter): void {
    const sequence = (this.#lastSequence += 1);
    this.#letters.set(sequence, { ...structuredClone(letter), sequence });
  }

  list({ queue, id, limit = 100, after = 0 }: DeadLetterQuery): readonly StoredDeadLetter[] {
    return [...this.#letters.values()]
      .filter(
        (letter) =>
          letter.sequence > after &&
          (queue === undefined || letter.queue === queue) &&
          (id === undefined || letter.id === id),
      )
      .slice(0, limit)
      .map((letter) => structuredClone(letter));
  }

  remove(sequence: number): boolean {
    return this.#letters.delete(sequence);
  }

  count(queue: string): number {
    let count = 0;
    for (const letter of this.#letters.values()) if (letter.queue === queue) count += 1;
    return count;
  }
}

/** One connection's access to the shelf. */
export class MemoryDeadLetters implements DeadLetterStore {
  readonly #shelf: DeadLetterShelf;
  readonly #reach: () => void;

  /** @param reach throws where the connection can't be used */
  constructor(shelf: DeadLetterShelf, reach: () => void) {
    this.#shelf = shelf;
    this.#reach = reach;
  }

  async list(query: DeadLetterQuery = {}): Promise<readonly StoredDeadLetter[]> {
    this.#reach();
    return this.#shelf.list(query);
  }

  async remove(sequence: number): Promise<boolean> {
    this.#reach();
    return this.#shelf.remove(sequence);
  }
}
