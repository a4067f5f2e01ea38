import type { StatementSync } from "node:sqlite";
import type { FailureCauses } from "./failure-causes.ts";
import type { Cargo, News } from "./index-calls.ts";
import {
  type JobRow,
  leafRows,
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
export type Doomed = Pick<JobRow, "key" | "queue" | "name" | "payload" | "causes">;
export const DOOMED = "key, queue, name, payload, causes";

/** The jobs of an index, with the words and values by which they are found. */
export class JobTable {
  readonly #prepare: (sql: string) => StatementSync;
  readonly #causes: FailureCauses;

  constructor(prepare: (sql: string) => StatementSync, causes: FailureCauses) {
    this.#prepare = prepare;
    this.#causes = causes;
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
        else if (isLater) this.#remember(news);
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

  #remember({ queue, id, createdAt, at, cargo }: Extract<News, { readonly kind: "heard" }>): void {
    this.#prepare(
      "insert or replace into heard (queue, id, created_at, at, cargo) values (?, ?, ?, ?, ?)",
    ).run(queue, id, createdAt, Math.trunc(at), JSON.stringify(cargo));
  }

  #put(found: JobRow | undefined, given: NewRow): void {
    const loaded = given.payload === null ? withCargo(given, this.#heardOf(given)) : given;
    const row: NewRow = { ...loaded, words: wordsOf(loaded) };
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
      for (const [path, value] of leafRows(row)) insert.run(path, value, key);
    }
    this.#causes.changeOfJob(key, found, row);
  }

  #heardOf({ queue, id, created_at }: NewRow): Cargo {
    const heard = this.#prepare(
      "select created_at, cargo from heard where queue = ? and id = ?",
    ).get(...[queue, id]);
    if (heard === undefined) return {};
    const of = Number(heard["created_at"]);
    if (of !== 0 && of !== created_at) return {};
    this.#prepare("delete from heard where queue = ? and id = ?").run(queue, id);
    return JSON.parse(String(heard["cargo"])) as Cargo;
  }

  #find({ queue, id }: Pick<News, "queue" | "id">): JobRow | undefined {
    // One index serves this and who looks for an id whatever its letters' case.
    return this.#prepare(
      "select * from job where id = ? collate nocase and queue = ? and id = ?",
    ).get(id, queue, id) as unknown as JobRow | undefined;
  }

  delete(doomed: Doomed): void {
    const { key } = doomed;
    this.#deleteLeaves(key, doomed);
    this.#causes.changeOfJob(key, doomed, undefined);
    for (const sql of ["delete from word where rowid = ?", "delete from job where key = ?"])
      this.#prepare(sql).run(key);
  }

  /** They are told by the payload, so that none of them needs a place in a second index. */
  #deleteLeaves(key: number, of: Pick<NewRow, "payload">): void {
    const remove = this.#prepare("delete from leaf where path = ? and value = ? and job = ?");
    for (const [path, value] of leafRows(of)) remove.run(path, value, key);
  }
}

function placeOf(
  { createdAt, life }: Pick<News, "createdAt" | "life">,
  record: number,
  arrival: number,
): Pick<NewRow, "created_at" | "life" | "record" | "arrival"> {
  return { created_at: createdAt, life, record, arrival };
}
