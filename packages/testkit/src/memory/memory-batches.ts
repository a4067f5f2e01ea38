import type { Batch, BatchEnd, BatchStore, EndedMember, JobRef } from "@millrace/core";

interface Entry {
  readonly batch: Batch;
  /** By queue and id. */
  readonly members: Set<string>;
  readonly ended: Map<string, EndedMember>;
}

/** All batches, shared by every connection. */
export class BatchShelf {
  readonly #entries = new Map<string, Entry>();

  open(batch: Batch): void {
    const { members, ended } = this.#entries.get(batch.id) ?? {
      members: new Set<string>(),
      ended: new Map<string, EndedMember>(),
    };
    this.#entries.set(batch.id, { batch: structuredClone(batch), members, ended });
  }

  join(id: string, members: readonly JobRef[]): void {
    const entry = this.#entries.get(id);
    for (const member of members.map(keyOf)) {
      if (entry?.ended.get(member)?.end === "refused") entry.ended.delete(member);
      if (entry?.ended.has(member) === false) entry.members.add(member);
    }
  }

  leave(id: string, job: JobRef, end: BatchEnd): boolean {
    const entry = this.#entries.get(id);
    const member = keyOf(job);
    if (entry?.members.delete(member) === true) entry.ended.set(member, { id: job.id, end });
    else if (entry?.ended.has(member) !== true) return true;
    return entry.members.size > 0;
  }

  find(id: string): Batch | undefined {
    const batch = this.#entries.get(id)?.batch;
    return batch === undefined ? undefined : structuredClone(batch);
  }

  ended(id: string): readonly EndedMember[] {
    return [...(this.#entries.get(id)?.ended.values() ?? [])];
  }

  left(id: string): number {
    return this.#entries.get(id)?.members.size ?? 0;
  }

  remove(id: string): void {
    this.#entries.delete(id);
  }
}

function keyOf({ queue, id }: JobRef): string {
  return `${queue}/${id}`;
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

  async join(batch: string, members: readonly JobRef[]): Promise<void> {
    this.#reach();
    this.#shelf.join(batch, members);
  }

  async leave(batch: string, member: JobRef, end: BatchEnd): Promise<boolean> {
    this.#reach();
    return this.#shelf.leave(batch, member, end);
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

  /** A removal is one step here. */
  async removeRest(): Promise<void> {
    this.#reach();
  }
}
