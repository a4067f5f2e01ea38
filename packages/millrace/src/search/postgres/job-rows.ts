import { storable, storableJson } from "@millrace/core";
import type { Cargo, News } from "../index-calls.ts";
import { type JobRow, leavesOf, type NewRow, withCargo, wordsOf } from "../index-rows.ts";
import { type HeardNews, learn } from "../learn.ts";
import type { CauseCounts, CausesOf } from "./cause-counts.ts";
import type { Row, Session } from "./postgres-database.ts";
import { marksOf, threesIn } from "./postgres-marks.ts";

/** What a row takes beside what it holds, with its places in indexes, about. */
const ROW_BYTES = 500;
const HEARD_ROW_BYTES = 200;
/** Of each number by which a job is found: in its row, and in an index. */
const MARK_BYTES = 16;
const THREE_BYTES = 8;

/** Written together: what is prepared for it holds up all else. */
const MOST_BYTES = 512 * 1_024;

const TEXTS = ["queue", "id", "name", "state"] as const;
const NUMBERS = ["attempts", "at", "created_at", "life", "record", "arrival"] as const;
const OPTIONAL = ["node", "error_type", "error_message", "reason", "trace_id"] as const;
const JSONS = ["tags", "payload", "causes"] as const;
const LOOKED_UP = ["words", "threes", "marks", "paths", "size"] as const;
const READ = [...TEXTS, ...NUMBERS, ...OPTIONAL, "duration_ms", ...JSONS] as const;
const WRITTEN = [...READ, ...LOOKED_UP] as const;

/** How the columns are read from JSON. */
const TYPES = [
  ...TEXTS.map((name) => `${name} text`),
  ...NUMBERS.map((name) => `${name} double precision`),
  ...[...OPTIONAL, ...JSONS].map((name) => `${name} text`),
  ...["duration_ms double precision", "words text", "threes integer[]", "marks bigint[]"],
  ...["paths text[]", "size double precision"],
].join(", ");

/** The columns of a job that are shown, and by which it is judged. */
export const JOB_COLUMNS = ["key", ...READ].join(", ");

interface HeldJob {
  readonly before: JobRow | undefined;
  readonly sizeBefore: number;
  now: JobRow | undefined;
  /** Nothing but where it lies has changed. */
  isMoved: boolean;
  isChanged: boolean;
}

interface HeldCargo {
  readonly sizeBefore: number;
  now: { readonly created_at: number; readonly at: number; readonly cargo: string } | undefined;
  isChanged: boolean;
}

/** What an index has more than before. */
export interface Grown {
  jobs: number;
  bytes: number;
  heardBytes: number;
}

/** The jobs that some news are about: read together, changed here, and written together. */
export class JobRows {
  readonly #schema: string;
  readonly #session: Session;
  readonly #causes: CauseCounts;
  readonly #jobs = new Map<string, HeldJob>();
  readonly #heard = new Map<string, HeldCargo>();

  constructor(schema: string, session: Session, causes: CauseCounts) {
    this.#schema = schema;
    this.#session = session;
    this.#causes = causes;
  }

  async learn(news: readonly News[]): Promise<Grown> {
    await this.#read(news);
    for (const one of news) this.#learnOne(one);
    return this.#write();
  }

  async #read(news: readonly News[]): Promise<void> {
    const of = [...new Map(news.map((one) => [placeOf(one), one])).values()];
    const asked = [of.map(({ queue }) => storable(queue)), of.map(({ id }) => storable(id))];
    const named = "unnest($1::text[], $2::text[]) as asked (queue, id)";
    const jobs = await this.#session.query(
      `select ${["key", ...READ, "size"].map((name) => `job.${name}`).join(", ")} from ${this.#schema}.job join ${named} using (queue, id)`,
      asked,
    );
    const heard = await this.#session.query(
      `select heard.* from ${this.#schema}.heard join ${named} using (queue, id)`,
      asked,
    );
    for (const one of of) {
      const none = { sizeBefore: 0, now: undefined, isChanged: false };
      this.#jobs.set(placeOf(one), { ...none, before: undefined, isMoved: false });
      this.#heard.set(placeOf(one), none);
    }
    for (const row of jobs) {
      const before = jobRowOf(row);
      this.#jobs.set(placeOf(before), {
        ...{ before, now: before, sizeBefore: Number(row["size"]) },
        ...{ isMoved: false, isChanged: false },
      });
    }
    for (const row of heard)
      this.#heard.set(`${String(row["queue"])}\0${String(row["id"])}`, {
        sizeBefore: Number(row["size"]),
        now: {
          ...{ created_at: Number(row["created_at"]), at: Number(row["at"]) },
          cargo: String(row["cargo"]),
        },
        isChanged: false,
      });
  }

  #learnOne(news: News): void {
    const held = this.#jobs.get(placeOf(news));
    if (held === undefined) return;
    const learnt = learn(held.now, news);
    if (learnt?.kind === "heard") this.#remember(learnt.heard);
    else if (learnt?.kind === "arrival" && held.now !== undefined) {
      held.isMoved ||= learnt.arrival !== held.now.arrival;
      held.now = { ...held.now, arrival: learnt.arrival };
    } else if (learnt?.kind === "row") {
      const { row } = learnt;
      const now = row.payload === null ? withCargo(row, this.#take(row)) : row;
      held.now = { ...now, key: held.now?.key ?? 0 };
      held.isChanged = true;
    }
  }

  #remember(heard: HeardNews): void {
    const held = this.#heard.get(placeOf(heard));
    if (held === undefined) return;
    const { createdAt, at, cargo } = heard;
    held.now = { created_at: createdAt, at: Math.trunc(at), cargo: JSON.stringify(cargo) };
    held.isChanged = true;
  }

  /** Of the same enqueue. It is told once. */
  #take(row: NewRow): Cargo {
    const held = this.#heard.get(placeOf(row));
    if (held?.now === undefined) return {};
    const { created_at, cargo } = held.now;
    if (created_at !== 0 && created_at !== row.created_at) return {};
    held.now = undefined;
    held.isChanged = true;
    return JSON.parse(cargo) as Cargo;
  }

  async #write(): Promise<Grown> {
    const grown: Grown = { jobs: 0, bytes: 0, heardBytes: 0 };
    let changed: object[] = [];
    let bytes = 0;
    const moved: JobRow[] = [];
    for (const { before, now, sizeBefore, isMoved, isChanged } of this.#jobs.values()) {
      if (now === undefined) continue;
      if (isChanged) {
        const row = writtenOf(now);
        changed.push(row);
        bytes += row.size;
        if (bytes > MOST_BYTES) {
          await this.#upsert(changed);
          changed = [];
          bytes = 0;
        }
        grown.jobs += before === undefined ? 1 : 0;
        grown.bytes += row.size - sizeBefore;
        this.#causes.changeOfJob(before, now);
      } else if (isMoved) moved.push(now);
    }
    if (changed.length > 0) await this.#upsert(changed);
    if (moved.length > 0)
      await this.#session.query(
        `update ${this.#schema}.job set arrival = moved.arrival from unnest($1::bigint[], $2::double precision[]) as moved (key, arrival) where job.key = moved.key`,
        [moved.map(({ key }) => key), moved.map(({ arrival }) => arrival)],
      );
    grown.heardBytes = await this.#writeHeard();
    return grown;
  }

  async #upsert(rows: readonly object[]): Promise<void> {
    const columns = WRITTEN.join(", ");
    const sets = WRITTEN.map((name) => `${name} = excluded.${name}`).join(", ");
    await this.#session.query(
      `insert into ${this.#schema}.job (${columns}) select ${columns} from json_to_recordset($1::json) as row (${TYPES}) on conflict (queue, id) do update set ${sets}`,
      [storableJson(rows)],
    );
  }

  async #writeHeard(): Promise<number> {
    let bytes = 0;
    const gone: string[][] = [[], []];
    const rows: object[] = [];
    for (const [place, { sizeBefore, now, isChanged }] of this.#heard) {
      if (!isChanged) continue;
      const [queue = "", id = ""] = place.split("\0");
      bytes -= sizeBefore;
      if (sizeBefore > 0) {
        gone[0]?.push(queue);
        gone[1]?.push(id);
      }
      if (now === undefined) continue;
      const size = queue.length + id.length + Buffer.byteLength(now.cargo) + HEARD_ROW_BYTES;
      bytes += size;
      rows.push({ queue, id, ...now, size });
    }
    if (gone[0]?.length !== 0)
      await this.#session.query(
        `delete from ${this.#schema}.heard using unnest($1::text[], $2::text[]) as gone (queue, id) where heard.queue = gone.queue and heard.id = gone.id`,
        gone,
      );
    // Anew, so that it is the latest: the oldest are forgotten first.
    if (rows.length > 0)
      await this.#session.query(
        `insert into ${this.#schema}.heard (queue, id, created_at, at, cargo, size) select queue, id, created_at, at, cargo, size from json_to_recordset($1::json) as row (queue text, id text, created_at double precision, at double precision, cargo text, size double precision)`,
        [storableJson(rows)],
      );
    return bytes;
  }
}

export function jobRowOf(row: Row): JobRow {
  // A `bigint` comes as a text. Words are looked for, and never read.
  return { ...(row as unknown as JobRow), key: Number(row["key"]), words: "" };
}

function writtenOf({ key: _, ...row }: JobRow) {
  const leaves = leavesOf(row.payload);
  const words = wordsOf(row, leaves);
  const threes = threesIn(words);
  const marks = marksOf(row, leaves);
  const paths = [...new Set(leaves.map(({ path }) => path))].filter((path) => path !== "");
  const texts = [row.error_message, row.payload, row.tags, words, ...paths];
  const size =
    texts.reduce((sum, text) => sum + Buffer.byteLength(text ?? ""), ROW_BYTES) +
    threes.length * THREE_BYTES +
    marks.length * MARK_BYTES;
  return { ...row, words, threes, marks, paths, size };
}

/** Where something is, as PostgreSQL has its names. */
function placeOf({ queue, id }: Pick<NewRow, "queue" | "id">): string {
  return `${storable(queue)}\0${storable(id)}`;
}

/** Deletes jobs. */
export async function deleteJobs(
  session: Session,
  schema: string,
  causes: CauseCounts,
  which: { readonly sql: string; readonly values: readonly unknown[] },
): Promise<Grown> {
  const rows = await session.query(
    `delete from ${schema}.job where key in (select key from ${schema}.job ${which.sql}) returning queue, name, causes, size`,
    which.values,
  );
  const grown: Grown = { jobs: -rows.length, bytes: 0, heardBytes: 0 };
  for (const row of rows) {
    grown.bytes -= Number(row["size"]);
    causes.changeOfJob(row as unknown as CausesOf, undefined);
  }
  return grown;
}
