import type { StatementSync } from "node:sqlite";
import type { FailureCauses } from "./failure-causes.ts";
import type { HeardTable } from "./heard-table.ts";
import type { News } from "../index-calls.ts";
import { type JobRow, leafRows, leavesOf, type NewRow, withCargo, wordsOf } from "../index-rows.ts";
import { learn } from "../learn.ts";

const COLUMNS = [
  ...["queue", "id", "name", "state", "attempts", "at", "created_at", "life", "record", "arrival"],
  ...["node", "duration_ms", "error_type", "error_message", "reason", "trace_id", "tags"],
  ...["payload", "causes", "words"],
] as const;

/** What has to be known of a row that is deleted. */
type Doomed = Pick<JobRow, "queue" | "name" | "payload" | "causes">;

/** The jobs of an index, with the words and values by which they are found. */
export class JobTable {
  readonly #prepare: (sql: string) => StatementSync;
  readonly #causes: FailureCauses;
  readonly #heard: HeardTable;

  constructor(prepare: (sql: string) => StatementSync, causes: FailureCauses, heard: HeardTable) {
    this.#prepare = prepare;
    this.#causes = causes;
    this.#heard = heard;
  }

  learn(news: News): void {
    const found = this.#find(news);
    const learnt = learn(found, news);
    if (learnt?.kind === "row") this.#put(found, learnt.row);
    else if (learnt?.kind === "heard") this.#heard.remember(learnt.heard);
    else if (learnt?.kind === "arrival")
      this.#prepare("update job set arrival = ? where key = ?").run(
        ...[learnt.arrival, found?.key ?? 0],
      );
  }

  #put(found: JobRow | undefined, given: NewRow): void {
    const loaded = given.payload === null ? withCargo(given, this.#heard.take(given)) : given;
    const leaves = leavesOf(loaded.payload);
    const row: NewRow = { ...loaded, words: wordsOf(loaded, leaves) };
    const values = COLUMNS.map((column) => row[column]);
    let key = found?.key;
    if (key === undefined) {
      const marks = COLUMNS.map(() => "?").join(", ");
      const { lastInsertRowid } = this.#prepare(
        `insert into job (${COLUMNS.join(", ")}) values (${marks})`,
      ).run(...values);
      key = Number(lastInsertRowid);
    } else {
      const sets = COLUMNS.map((column) => `${column} = ?`).join(", ");
      this.#prepare(`update job set ${sets} where key = ?`).run(...values, key);
    }
    if (row.words !== found?.words) {
      if (found !== undefined) this.#prepare("delete from word where rowid = ?").run(key);
      this.#prepare("insert into word (rowid, words) values (?, ?)").run(key, row.words);
    }
    if (row.payload !== (found?.payload ?? null)) {
      if (found !== undefined) this.#deleteLeaves(key, found);
      const insert = this.#prepare(
        "insert or ignore into leaf (path, value, job) values (?, ?, ?)",
      );
      for (const [path, value] of leafRows(leaves)) insert.run(path, value, key);
    }
    this.#causes.changeOfJob(key, found, row);
  }

  #find({ queue, id }: Pick<News, "queue" | "id">): JobRow | undefined {
    // One index serves this and who looks for an id whatever its letters' case.
    return this.#prepare(
      "select * from job where id = ? collate nocase and queue = ? and id = ?",
    ).get(id, queue, id) as unknown as JobRow | undefined;
  }

  /** What lies in a queue as it was read last, and not between these. */
  gone(queue: string, oldest: number, newest: number): number[] {
    return this.#keys(
      "where queue = ? collate nocase and queue = ? and state = 'queued' and (arrival < ? or arrival > ?)",
      ...[queue, queue, oldest, newest],
    );
  }

  /** @param before epoch milliseconds. Default: all */
  oldest(most: number, before = Number.MAX_SAFE_INTEGER): number[] {
    return this.#keys("where at < ? order by at limit ?", before, most);
  }

  delete(keys: readonly number[]): void {
    for (const key of keys) {
      const found = this.#prepare("select queue, name, payload, causes from job where key = ?");
      const doomed = found.get(key) as unknown as Doomed | undefined;
      if (doomed === undefined) continue;
      this.#deleteLeaves(key, doomed);
      this.#causes.changeOfJob(key, doomed, undefined);
      for (const sql of ["delete from word where rowid = ?", "delete from job where key = ?"])
        this.#prepare(sql).run(key);
    }
  }

  /** Without their payloads: of a long queue those are more than a thread may hold. */
  #keys(where: string, ...values: readonly (string | number)[]): number[] {
    const keys: number[] = [];
    for (const { key } of this.#prepare(`select key from job ${where}`).iterate(...values))
      keys.push(Number(key));
    return keys;
  }

  /** They are told by the payload, so that none of them needs a place in a second index. */
  #deleteLeaves(key: number, { payload }: Pick<NewRow, "payload">): void {
    const remove = this.#prepare("delete from leaf where path = ? and value = ? and job = ?");
    for (const [path, value] of leafRows(leavesOf(payload))) remove.run(path, value, key);
  }
}
