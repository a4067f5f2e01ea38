import {
  type JournalStore,
  MillraceError,
  requirePlace,
  type RunRef,
  type StepRef,
  type StepWriteOptions,
  type StoredStep,
} from "@millrace/core";

/** The steps of all runs, shared by every connection. */
export class JournalShelf {
  readonly #runs = new Map<string, Map<string, StoredStep>>();
  #revision = 0;

  read(run: RunRef): readonly StoredStep[] {
    return [...(this.#runs.get(keyOf(run))?.values() ?? [])].map(copyOf);
  }

  write(run: RunRef, step: StepRef, data: Uint8Array, expected: number): StoredStep {
    const steps = this.#runs.get(keyOf(run)) ?? new Map<string, StoredStep>();
    const place = `${step.n} ${step.name}`;
    const there = steps.get(place);
    if ((there?.revision ?? 0) !== expected) {
      if (there !== undefined) return copyOf(there);
      throw new MillraceError("conflict", "The record that was to be replaced is gone.");
    }
    const stored = { data: data.slice(), revision: (this.#revision += 1) };
    this.#runs.set(keyOf(run), steps.set(place, stored));
    return copyOf(stored);
  }

  remove(run: RunRef): void {
    this.#runs.delete(keyOf(run));
  }

  /** Of which runs there is anything. */
  list(): readonly string[] {
    return [...this.#runs.keys()];
  }
}

function keyOf(run: RunRef): string {
  const { queue, id, createdAt } = requirePlace(run);
  return `${queue}/${id}/${Math.floor(createdAt)}`;
}

function copyOf({ data, revision }: StoredStep): StoredStep {
  return { data: data.slice(), revision };
}

/** One connection's access to the shelf. */
export class MemoryJournal implements JournalStore {
  readonly maxBytes: number;
  readonly #shelf: JournalShelf;
  readonly #reach: () => void;

  /** @param reach throws where the connection can't be used */
  constructor(shelf: JournalShelf, maxBytes: number, reach: () => void) {
    this.maxBytes = maxBytes;
    this.#shelf = shelf;
    this.#reach = reach;
  }

  async read(run: RunRef): Promise<readonly StoredStep[]> {
    this.#reach();
    return this.#shelf.read(run);
  }

  async write(
    run: RunRef,
    step: StepRef,
    data: Uint8Array,
    { expected = 0, lease }: StepWriteOptions = {},
  ): Promise<StoredStep> {
    this.#reach();
    if (lease?.isHeld() === false)
      throw new MillraceError("lease-lost", "The lease under which the step is recorded is over.");
    if (data.length > this.maxBytes)
      throw new MillraceError("payload-too-large", "The record is larger than a message may be.");
    return this.#shelf.write(run, step, data, expected);
  }

  async remove(run: RunRef): Promise<void> {
    this.#reach();
    this.#shelf.remove(run);
  }
}
