import { Buffer } from "node:buffer";
import type { Claim, ClaimLimits, SetAside } from "millrace/outbox";
import type { ModelDatabase, ModelRow } from "./model-database.ts";

interface OpenClaim {
  readonly id: string;
  readonly seqs: readonly number[];
  readonly atMs: number;
}

/** How a fault in the statements would have it. */
export interface ClaimFaults {
  /** Whoever comes makes a claim of their own, also where one is open. */
  readonly claimsAnew?: boolean;
}

/** What relays do to the outbox's tables: each as one statement, which happens at once. */
export class Claims {
  readonly setAside: SetAside[] = [];
  readonly #database: ModelDatabase;
  readonly #faults: ClaimFaults;
  readonly #open = new Map<string, OpenClaim>();
  #made = 0;

  constructor(database: ModelDatabase, faults: ClaimFaults = {}) {
    this.#database = database;
    this.#faults = faults;
  }

  queues(): readonly string[] {
    return [...new Set([...this.#database.rows.values()].map(({ queue }) => queue))].toSorted();
  }

  claim(queue: string, { rows: most }: ClaimLimits): Claim | undefined {
    const before = this.#open.get(queue);
    const isNew = before === undefined || this.#faults.claimsAnew === true;
    if (isNew) {
      const seqs = this.#oldest(queue).slice(0, most);
      if (seqs.length === 0) return undefined;
      const id = `claim-${(this.#made += 1)}`;
      this.#open.set(queue, { id, seqs, atMs: this.#database.nowMs() });
    }
    const { id, seqs, atMs } = this.#open.get(queue) as OpenClaim;
    const there = seqs.flatMap((seq) => this.#database.rows.get(seq) ?? []);
    return { id, isNew, ageMs: this.#database.nowMs() - atMs, rows: there.map(asOutboxRow) };
  }

  aside(queue: string, { id }: Claim, rows: readonly SetAside[]): void {
    const open = this.#open.get(queue);
    if (open?.id !== id) return;
    const out = new Set(rows.map(({ seq }) => seq));
    this.#open.set(queue, { ...open, seqs: open.seqs.filter((seq) => !out.has(seq)) });
    for (const row of rows) this.#database.rows.delete(row.seq);
    this.setAside.push(...rows);
  }

  finish(queue: string, { id, rows }: Claim, setAside: readonly SetAside[]): void {
    if (this.#open.get(queue)?.id !== id && this.#faults.claimsAnew !== true) return;
    this.#open.delete(queue);
    const kept = new Set(setAside.map(({ seq }) => seq));
    for (const { seq } of rows) if (!kept.has(seq)) this.#database.rows.delete(seq);
  }

  #oldest(queue: string): readonly number[] {
    return [...this.#database.rows.values()]
      .filter((row) => row.queue === queue)
      .map(({ seq }) => seq)
      .toSorted((a, b) => a - b);
  }
}

function asOutboxRow({ body, ...row }: ModelRow): Claim["rows"][number] {
  return { ...row, kind: null, subject: null, body: Buffer.from(body, "base64") };
}
