import {
  type BuriedJob,
  type DeadLetter,
  type DeadLetterQuery,
  type DeadLetterStore,
  type JobRef,
  type QueueMessage,
  requirePlace,
  type SettlementStep,
  type StoredDeadLetter,
  type Successors,
  type TailQuery,
} from "@millrace/core";

/** All dead letters, shared by every connection. */
export class DeadLetterShelf {
  #lastSequence = 0;
  readonly #letters = new Map<number, StoredDeadLetter>();
  /** By the id under which it was buried. */
  readonly #byId = new Map<string, number>();

  /** @param buriedId `buriedIdOf`; a letter that is added twice is here twice */
  add(letter: DeadLetter, buriedId: string): void {
    const sequence = (this.#lastSequence += 1);
    this.#byId.set(buriedId, sequence);
    // A clone of a view copies all that the view is a part of.
    const body = letter.body.slice();
    this.#letters.set(sequence, { ...structuredClone({ ...letter, body }), sequence });
  }

  /** @returns its place */
  addOnce(letter: DeadLetter, id: string): number {
    if (!this.#byId.has(id)) this.add(letter, id);
    return this.#byId.get(id) ?? 0;
  }

  /** The letter that was buried under this id, while it is here. */
  of(buriedId: string): StoredDeadLetter | undefined {
    const letter = this.#letters.get(this.#byId.get(buriedId) ?? 0);
    return letter && structuredClone(letter);
  }

  /** The last letter of a job's id, by whether it was buried under this id. */
  beside(job: JobRef, buriedId: string): Pick<Successors, "letter" | "otherLetter"> {
    const letter = this.of(buriedId);
    const otherLetter = this.list({ ...job, limit: Number.POSITIVE_INFINITY }).at(-1);
    return letter === undefined && otherLetter !== undefined ? { letter, otherLetter } : { letter };
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

  tail({ withinMs, limit }: TailQuery): readonly BuriedJob[] {
    const all = [...this.#letters.values()].map(({ queue, id, at }) => ({
      queue,
      id,
      storedAt: at,
    }));
    const newest = Math.max(...all.map(({ storedAt }) => storedAt));
    const newestOnes = limit < 1 ? [] : all.slice(-limit);
    return newestOnes.filter(({ storedAt }) => storedAt >= newest - withinMs);
  }

  get newest(): number {
    return this.#lastSequence;
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

/**
 * The id of a message's letter, as `broker-nats` makes it: the same however often its settlement is
 * repeated.
 *
 * @param step default: that of the message's own letter
 */
export function buriedIdOf(
  { queue, sequence, storedAt }: QueueMessage,
  step?: Extract<SettlementStep, { readonly do: "bury" }>,
): string {
  return step?.once === undefined
    ? `dead/${queue}/${sequence}/${storedAt}/0`
    : `dead/${step.letter.queue}/${step.letter.id}/${step.once}`;
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
    return this.#shelf.list(requirePlace(query));
  }

  async newest(): Promise<number> {
    this.#reach();
    return this.#shelf.newest;
  }

  async tail(query: TailQuery): Promise<readonly BuriedJob[]> {
    this.#reach();
    return this.#shelf.tail(query);
  }

  async add(letter: DeadLetter, once: string): Promise<number> {
    this.#reach();
    return this.#shelf.addOnce(letter, `dead/${letter.queue}/${letter.id}/${once}`);
  }

  async remove(sequence: number): Promise<boolean> {
    this.#reach();
    return this.#shelf.remove(sequence);
  }
}
