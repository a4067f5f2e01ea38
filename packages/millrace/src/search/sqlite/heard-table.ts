import type { StatementSync } from "node:sqlite";
import type { Cargo, News } from "../index-calls.ts";
import type { NewRow } from "../index-rows.ts";

/** What a row takes beside what it holds, about. */
const ROW_BYTES = 100;
/** Rows of which the oldest are looked up together. */
const PAGE = 500;

const SIZE = `length(queue) + length(id) + length(cargo) + ${ROW_BYTES}`;

/**
 * What was published, and is in no stream yet. What a stream refused, a full queue's say, never is
 * in one, so this has a bound of its own.
 */
export class HeardTable {
  readonly #prepare: (sql: string) => StatementSync;
  readonly #maxBytes: number;
  /** Undefined: to be counted. */
  #bytes: number | undefined;

  constructor(prepare: (sql: string) => StatementSync, maxBytes: number) {
    this.#prepare = prepare;
    this.#maxBytes = maxBytes;
  }

  remember({ queue, id, createdAt, at, cargo }: Extract<News, { readonly kind: "heard" }>): void {
    this.#delete("queue = ? and id = ?", queue, id);
    const row = this.#prepare(
      `insert into heard (queue, id, created_at, at, cargo) values (?, ?, ?, ?, ?) returning ${SIZE} as size`,
    ).get(queue, id, createdAt, Math.trunc(at), JSON.stringify(cargo));
    this.#bytes = this.bytes + Number(row?.["size"]);
    if (this.#bytes > this.#maxBytes) this.shrink(this.#bytes - this.#maxBytes);
  }

  /** Of the same enqueue. It is told once. */
  take({ queue, id, created_at }: NewRow): Cargo {
    const heard = this.#prepare(
      "select created_at, cargo from heard where queue = ? and id = ?",
    ).get(queue, id);
    if (heard === undefined) return {};
    const of = Number(heard["created_at"]);
    if (of !== 0 && of !== created_at) return {};
    this.#delete("queue = ? and id = ?", queue, id);
    return JSON.parse(String(heard["cargo"])) as Cargo;
  }

  forget(before: number): void {
    this.#delete("at < ?", before);
  }

  /** Forgets the oldest, until they are so much. */
  shrink(bytes: number): void {
    const until = Math.max(0, this.bytes - bytes);
    while (this.bytes > until) {
      const oldest = this.#prepare(`select key, ${SIZE} as size from heard order by key limit ?`);
      for (const { key, size } of oldest.all(PAGE)) {
        if (this.bytes <= until) return;
        this.#prepare("delete from heard where key = ?").run(Number(key));
        this.#bytes = this.bytes - Number(size);
      }
    }
  }

  get bytes(): number {
    const count = (): number =>
      Number(this.#prepare(`select sum(${SIZE}) as bytes from heard`).get()?.["bytes"] ?? 0);
    return (this.#bytes ??= count());
  }

  /** A write was undone, or all is gone. */
  recount(): void {
    this.#bytes = undefined;
  }

  #delete(where: string, ...values: readonly (string | number)[]): void {
    const before = this.bytes;
    let gone = 0;
    const remove = this.#prepare(`delete from heard where ${where} returning ${SIZE} as size`);
    for (const { size } of remove.iterate(...values)) gone += Number(size);
    this.#bytes = before - gone;
  }
}
