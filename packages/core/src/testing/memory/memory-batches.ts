import type { Batch, BatchEnd, BatchStore, EndedMember } from "../../broker/batch-store.ts";

interface Entry {
  readonly batch: Batch;
  readonly members: Set<string>;
  readonly ended: Map<string, BatchEnd>;
}

/** All batches, shared by every connection. */
export class BatchShelf {
  readonly #entries = new Map<string, Entry>();

  open(batch: Batch): void {
    const { members, ended } = this.#entries.get(batch.id) ?? {
      members: new Set<string>(),
      ended: new Map<string, BatchEnd>(),
    };
    this.#entries.set(batch.id, { batch: structuredClone(batch), members, ended });
  }

  join(id: string, members: readonly string[]): void {
    const entry = this.#entries.get(id);
    for (const member of members) if (entry?.ended.has(member) === false) entry.members.add(member);
  }

  leave(id: string, member: string, end: BatchEnd): boolean {
    const entry = this.#entries.get(id);
    entry?.members.delete(member);
    entry?.ended.set(member, end);
    return (entry?.members.size ?? 0) > 0;
  }

  find(id: string): Batch | undefined {
    const batch = this.#entries.get(id)?.batch;
    return batch === undefined ? undefined : structuredClone(batch);
  }

  ended(id: string): readonly EndedMember[] {
    return [...(this.#entries.get(id)?.ended ?? [])].map(([member, end]) => ({ id: member, end }));
  }

  left(id: string): number {
    return this.#entries.get(id)?.members.size ?? 0;
  }

  remove(id: string): void {
    this.#entries.delete(id);
  }
}

/** One connection's access to the shelf. */
export class MemoryBatches implements BatchStore {
  readonly #shelf: BatchShelf;
  readonly #reach: () => void;

  /** @param reach throws where the connection can't be used */
  constructor(shelf: BatchShelf, reach: () => void) {
    this.#shelf = shelf;
    this.#reach = reach;
  }

  async open(batch: Batch): Promise<void> {
    this.#reach();
    this.#shelf.open(batch);
  }

  async join(batch: string, ids: readonly string[]): Promise<void> {
    this.#reach();
    this.#shelf.join(batch, ids);
  }

  async leave(batch: string, id: string, end: BatchEnd): Promise<boolean> {
    this.#reach();
    return this.#shelf.leave(batch, id, end);
  }

  async find(batch: string): Promise<Batch | undefined> {
    this.#reach();
    return this.#shelf.find(batch);
  }

  async ended(batch: string): Promise<readonly EndedMember[]> {
    this.#reach();
    return this.#shelf.ended(batch);
  }

  async left(batch: string): Promise<number> {
    this.#reach();
    return this.#shelf.left(batch);
  }

  async remove(batch: string): Promise<void> {
    this.#reach();
    this.#shelf.remove(batch);
  }
}
