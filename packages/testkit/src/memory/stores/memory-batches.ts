import type { Batch, BatchEnd, BatchStore, EndedMember, JobRef, StoredBatch } from "@millrace/core";

interface Entry {
  batch: StoredBatch;
  /** By queue and id. */
  readonly members: Set<string>;
  readonly ended: Map<string, EndedMember>;
}

/** All batches, shared by every connection. */
export class BatchShelf {
  readonly #entries = new Map<string, Entry>();

  #revision = 0;

  open(batch: Batch): void {
    if (this.#entries.has(batch.id)) return;
    const stored = this.#stored(batch);
    this.#entries.set(batch.id, { batch: stored, members: new Set(), ended: new Map() });
  }

  replace(batch: Batch, revision: number): boolean {
    const entry = this.#entries.get(batch.id);
    if (entry === undefined || entry.batch.revision !== revision) return false;
    entry.batch = this.#stored(batch);
    return true;
  }

  #stored(batch: Batch): StoredBatch {
    return { ...structuredClone(batch), revision: (this.#revision += 1) };
  }

  join(id: string, members: readonly JobRef[]): void {
    const entry = this.#entries.get(id);
    for (const member of members.map(keyOf))
      if ((entry?.ended.get(member)?.end ?? "refused") === "refused") entry?.members.add(member);
  }

  leave(id: string, job: JobRef, end: BatchEnd): boolean | undefined {
    const entry = this.#entries.get(id);
    const member = keyOf(job);
    if (entry?.members.delete(member) === true) entry.ended.set(member, { id: job.id, end });
    else if (entry?.ended.has(member) !== true) return undefined;
    return entry.members.size > 0;
  }

  batchOf(job: JobRef): string | undefined {
    const member = keyOf(job);
    const all = [...this.#entries];
    const has = (of: "members" | "ended"): string | undefined =>
      all.find(([, entry]) => entry[of].has(member))?.[0];
    return has("members") ?? has("ended");
  }

  find(id: string): StoredBatch | undefined {
    const batch = this.#entries.get(id)?.batch;
    return batch === undefined ? undefined : structuredClone(batch);
  }

  ended(id: string): readonly EndedMember[] {
    return [...(this.#entries.get(id)?.ended.values() ?? [])];
  }

  left(id: string): number {
    return this.#entries.get(id)?.members.size ?? 0;
  }

  remove(id: string, revision?: number): void {
    if (revision === undefined || this.#entries.get(id)?.batch.revision === revision)
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

  async replace(batch: Batch, revision: number): Promise<boolean> {
    this.#reach();
    return this.#shelf.replace(batch, revision);
  }

  async join(batch: string, members: readonly JobRef[]): Promise<void> {
    this.#reach();
    this.#shelf.join(batch, members);
  }

  async leave(batch: string, member: JobRef, end: BatchEnd): Promise<boolean | undefined> {
    this.#reach();
    return this.#shelf.leave(batch, member, end);
  }

  async batchOf(member: JobRef): Promise<string | undefined> {
    this.#reach();
    return this.#shelf.batchOf(member);
  }

  async find(batch: string): Promise<StoredBatch | undefined> {
    this.#reach();
    return this.#shelf.find(batch);
  }

  async ended(
    batch: string,
    { most = Infinity }: { readonly most?: number } = {},
  ): Promise<readonly EndedMember[]> {
    this.#reach();
    return this.#shelf.ended(batch).slice(0, most + 1);
  }

  async left(batch: string): Promise<number> {
    this.#reach();
    return this.#shelf.left(batch);
  }

  async remove(batch: string, revision?: number): Promise<void> {
    this.#reach();
    this.#shelf.remove(batch, revision);
  }

  /** A removal is one step here. */
  async removeRest(): Promise<void> {
    this.#reach();
  }
}
