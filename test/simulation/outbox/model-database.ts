import type { Row, Transaction } from "millrace/outbox";
import {
  BEGIN_DONE,
  KEEP_OUTPUT,
  READ_OUTPUT,
} from "../../../packages/outbox/src/writer/done-statements.ts";
import { INSERTS } from "../../../packages/outbox/src/writer/insert.ts";

/** A row of the outbox as its writer sends it, and where it stands. */
export interface ModelRow {
  readonly seq: number;
  readonly id: string;
  readonly queue: string;
  readonly lane: string | null;
  readonly body: string;
  readonly headers: string;
  readonly unique: string | null;
  readonly createdAt: number;
}

interface DoneRow {
  /** The transaction that has written it and is still open. */
  by: ModelTransaction | undefined;
  output: string | undefined;
}

/**
 * A database of a shop with an outbox. Whatever dies, what was committed stays; what was not is
 * rolled back with the connection that it came over.
 */
export class ModelDatabase {
  readonly rows = new Map<number, ModelRow>();
  readonly orders = new Set<number>();
  readonly charges: number[] = [];
  readonly done = new Map<string, DoneRow>();
  readonly nowMs: () => number;
  #seq = 0;

  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
  }

  /** Taken when a row is written, not when it is committed: a late commit comes late. */
  nextSeq(): number {
    return (this.#seq += 1);
  }
}

type State = "open" | "committed" | "rolled back";

/** One transaction, with the outbox's own statements and the shop's. */
export class ModelTransaction implements Transaction {
  readonly #database: ModelDatabase;
  readonly #rows: ModelRow[] = [];
  readonly #orders: number[] = [];
  readonly #charges: number[] = [];
  readonly #done: string[] = [];
  readonly #ended = Promise.withResolvers<void>();
  #state: State = "open";

  constructor(database: ModelDatabase) {
    this.#database = database;
  }

  placeOrder(order: number): void {
    this.#requireOpen();
    this.#orders.push(order);
  }

  charge(order: number): void {
    this.#requireOpen();
    this.#charges.push(order);
  }

  readonly run = async (sql: string, parameters: readonly string[]): Promise<readonly Row[]> => {
    this.#requireOpen();
    const key = parameters.slice(-3).join("/");
    switch (sql) {
      case INSERTS.postgres.jobs:
        this.#insert(parameters[0] ?? "[]");
        return [];
      case BEGIN_DONE:
        return (await this.#isFirst(key)) ? [{ first: 1 }] : [];
      case KEEP_OUTPUT: {
        const row = this.#database.done.get(key);
        if (row !== undefined) row.output = parameters[0];
        return [];
      }
      case READ_OUTPUT:
        return [{ output: this.#database.done.get(key)?.output ?? null }];
      default:
        throw new Error(`The model knows no such statement: ${sql}`);
    }
  };

  commit(): void {
    this.#requireOpen();
    const { rows, orders, charges, done } = this.#database;
    for (const row of this.#rows) rows.set(row.seq, row);
    for (const order of this.#orders) orders.add(order);
    charges.push(...this.#charges);
    for (const key of this.#done) (done.get(key) as DoneRow).by = undefined;
    this.#end("committed");
  }

  /** Nothing where it has ended. */
  rollback(): void {
    if (this.#state !== "open") return;
    for (const key of this.#done) this.#database.done.delete(key);
    this.#end("rolled back");
  }

  /** Whoever holds the row is waited for, as at a unique index. */
  async #isFirst(key: string): Promise<boolean> {
    for (;;) {
      const there = this.#database.done.get(key);
      if (there === undefined) break;
      if (there.by === undefined) return false;
      await there.by.#ended.promise;
      this.#requireOpen();
    }
    this.#database.done.set(key, { by: this, output: undefined });
    this.#done.push(key);
    return true;
  }

  #insert(jobs: string): void {
    const createdAt = this.#database.nowMs();
    for (const job of JSON.parse(jobs) as Omit<ModelRow, "seq" | "createdAt">[])
      this.#rows.push({ ...job, seq: this.#database.nextSeq(), createdAt });
  }

  #end(state: State): void {
    this.#state = state;
    this.#ended.resolve();
  }

  #requireOpen(): void {
    if (this.#state !== "open") throw new Error(`The transaction is ${this.#state}.`);
  }
}
