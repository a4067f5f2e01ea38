import type { StatementSync } from "node:sqlite";
import type { FailureCauses } from "./failure-causes.ts";
import type { HeardTable } from "./heard-table.ts";
import type { Cargo, News } from "./index-calls.ts";
import {
  type JobRow,
  leafRows,
  leavesOf,
  type NewRow,
  rowOf,
  withCargo,
  withCause,
  wordsOf,
} from "./index-rows.ts";

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
    const isSame =
      found !== undefined &&
      (news.createdAt === 0 || news.createdAt === found.created_at) &&
      (news.life === found.life || news.kind === "heard" || news.kind === "cargo");
    const isLater =
      found === undefined ||
      news.createdAt > found.created_at ||
      (news.createdAt === found.created_at && news.life > found.life);
    switch (news.kind) {
      case "heard":
        if (found !== undefined && isSame) this.#load(found, news.cargo);
        else if (isLater) this.#heard.remember(news);
        return;
      case "cargo":
        // A letter does not say of which enqueue it is.
        if (found !== undefined && isSame && (news.createdAt > 0 || found.state === "dead"))
          this.#load(found, news.cargo);
        else if (found === undefined && news.job !== undefined)
          this.#put(undefined, withCargo(rowOf(news.job, placeOf(news, 0, 0)), news.cargo));
        return;
      case "record":
        this.#learnRecord(found, news, { isSame, isLater });
        return;
      case "arrival":
        if (found !== undefined && isSame) {
          this.#prepare("update job set arrival = max(arrival, ?) where key = ?").run(
            ...[news.position, found.key],
          );
          this.#load(found, news.job);
        } else if (isLater) {
          const row = rowOf(news.job, placeOf(news, found?.record ?? 0, news.position));
          const isNextLife = found !== undefined && found.created_at === news.createdAt;
          const causes = isNextLife ? found.causes : null;
          this.#put(found, { ...withCargo(row, news.job), causes });
        }
    }
  }

  #learnRecord(
    found: JobRow | undefined,
    news: Extract<News, { readonly kind: "record" }>,
    { isSame, isLater }: { readonly isSame: boolean; readonly isLater: boolean },
  ): void {
    const isOfIt =
      found !== undefined && (news.createdAt === 0 || news.createdAt === found.created_at);
    const causes = withCause(isOfIt ? found.causes : null, news.cause?.fingerprint);
    if (found !== undefined && isSame && news.position > found.record) {
      const { created_at, tags, payload, arrival } = found;
      const row = rowOf(news.job, placeOf(news, news.position, arrival));
      this.#put(found, { ...row, created_at, tags, payload, causes });
    } else if (isLater) {
      const row = rowOf(news.job, placeOf(news, news.position, 0));
      const kept = isOfIt ? { tags: found.tags, payload: found.payload } : {};
      this.#put(found, { ...row, ...kept, causes });
    } else if (isOfIt && causes !== found.causes) this.#put(found, { ...found, causes });
  }

  /** What it carries, where nobody has said so yet. */
  #load(found: JobRow, cargo: Cargo): void {
    if (found.payload !== null || cargo.payload === undefined) return;
    this.#put(found, withCargo(found, cargo));
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
      "where queue = ? collate nocase and state = 'queued' and (arrival < ? or arrival > ?)",
      ...[queue, oldest, newest],
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

function placeOf(
  { createdAt, life }: Pick<News, "createdAt" | "life">,
  record: number,
  arrival: number,
): Pick<NewRow, "created_at" | "life" | "record" | "arrival"> {
  return { created_at: createdAt, life, record, arrival };
}
