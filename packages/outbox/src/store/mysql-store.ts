import { randomUUID } from "node:crypto";
import { type Clock, optionNames, refuseUnknown, requireText, systemClock } from "@millrace/core";
import type { ResultSetHeader } from "mysql2/promise";
import type { Row } from "../database/transaction.ts";
import { asParameter, type StoredJob } from "../rows/stored-job.ts";
import { MYSQL_SCHEMA } from "../schema/mysql.ts";
import { INSERT_MYSQL } from "../writer/insert.ts";
import type { Claim, ClaimLimits, OutboxStore } from "./outbox-store.ts";
import { asOutboxError } from "./outbox-error.ts";
import { asRow, asSetAside, asStatus } from "./read-rows.ts";
import { connectionOptions, loadMysql2, MysqlConnections, type Via } from "./mysql-connections.ts";
import * as sql from "./mysql-statements.ts";

/** Where the database of an outbox is. */
export interface MysqlOutboxOptions {
  /** `mysql://user:password@host/database`. */
  readonly url: string;
  readonly clock?: Clock;
}

type Values = readonly unknown[];

/**
 * Of jobs in one statement. The package writes texts into it and escapes them, so that it is larger
 * than what a writer's prepared statement took for the whole batch: `max_allowed_packet`.
 */
const MOST_PART_BYTES = 128 * 1024;

/** No table, no column. */
const UNMIGRATED: ReadonlySet<string> = new Set(["ER_NO_SUCH_TABLE", "ER_BAD_FIELD_ERROR"]);

const failed = (error: unknown) => asOutboxError(error, ({ code }) => UNMIGRATED.has(code));

const NAMES = optionNames<MysqlOutboxOptions>({ url: true, clock: true });

/**
 * An outbox in MariaDB (from version 10.6) or MySQL, by the package `mysql2`, for a relay.
 *
 * @throws MillraceError `invalid-option`
 * @example
 * const store = mysqlOutbox({ url: process.env.DATABASE_URL });
 * await using relay = await startRelay({ broker: millrace.broker, store });
 */
export function mysqlOutbox(options: MysqlOutboxOptions): OutboxStore {
  refuseUnknown(options, NAMES, "mysqlOutbox()");
  const { url, clock = systemClock } = options;
  requireText(url, "url");
  let connections: Promise<MysqlConnections> | undefined;

  async function use<Result>(act: (via: Via) => Promise<Result>): Promise<Result> {
    try {
      return await (await (connections ??= MysqlConnections.open(url, clock))).use(act);
    } catch (error) {
      throw failed(error);
    }
  }
  const run = (text: string, values: Values = []) => use((via) => rows(via, text, values));
  const change = (text: string, values: Values) => use((via) => changed(via, text, values));

  /** One transaction, rolled back where the function throws: its connection is dropped. */
  const atomically = <Result>(act: (via: Via) => Promise<Result>): Promise<Result> =>
    use(async (via) => {
      await via.query("START TRANSACTION");
      const result = await act(via);
      await via.query("COMMIT");
      return result;
    });

  return {
    migrate: () =>
      migrate(url).catch((error: unknown) => {
        throw failed(error);
      }),
    queues: async () => (await run(sql.QUEUES)).map(({ queue }) => String(queue)),
    async mark(queue) {
      await change(sql.ENSURE_QUEUE, [queue, randomUUID().replaceAll("-", "")]);
      return String((await run(sql.MARK, [queue]))[0]?.["mark"]);
    },
    claim: (queue, limits) => use((via) => claim(via, queue, limits)),
    setAside: (queue, { id }, aside) =>
      atomically((via) => setAsideRows(via, { queue, id }, aside)),
    replace: (queue, { id }, seq, jobs) =>
      atomically((via) => replaceRow(via, { queue, id }, seq, jobs)),
    finish: (queue, claim, aside) => atomically((via) => finishClaim(via, queue, claim, aside)),
    note: async (queue, trouble) =>
      void (await change(sql.NOTE, [trouble ?? null, trouble ?? null, queue])),
    status: async () => (await run(sql.STATUS)).map(asStatus),
    listSetAside: async (limit) => (await run(sql.SET_ASIDE, [limit])).map(asSetAside),
    retry: (queue) => atomically((via) => retryRows(via, queue)),
    batches: async ({ olderThanMs, after = "", limit }) =>
      (await run(sql.BATCHES, [olderThanMs, after, limit])).map(({ id }) => String(id)),
    forgetBatches: async (ids) => {
      if (ids.length > 0) await change(sql.FORGET_BATCHES, [ids]);
    },
    // Nobody is notified: the relay looks by itself.
    setIdle: async () => {},
    async close() {
      const open = connections;
      connections = undefined;
      await (await open)?.close();
    },
  };
}

type Aside = Parameters<OutboxStore["setAside"]>[2];

interface ClaimKey {
  readonly queue: string;
  readonly id: string;
}

async function setAsideRows(via: Via, { queue, id }: ClaimKey, aside: Aside): Promise<void> {
  const seqs = await lockedSeqs(via, queue, id);
  if (seqs === undefined) return;
  const out = new Set(aside.map(({ seq }) => seq));
  const left = seqs.filter((seq) => !out.has(seq));
  await keep(via, queue, id, left);
  await putAside(via, aside);
}

async function putAside(via: Via, aside: Aside): Promise<void> {
  for (const { seq, reason, detail } of aside) await changed(via, sql.ASIDE, [reason, detail, seq]);
}

/**
 * An open claim may name a row that was set aside before it was made: its list was read earlier.
 * Such a row goes out of the claim, whose mark says of each row that it names whether it is
 * published.
 */
async function retryRows(via: Via, queue: string | undefined): Promise<number> {
  const of = [queue ?? null, queue ?? null];
  const claims = await rows(via, sql.LOCK_CLAIMS, of);
  const back = new Set((await rows(via, sql.LOCK_ASIDE, of)).map(({ seq }) => Number(seq)));
  for (const { queue: name, claim: id, seqs } of claims) {
    const named = seqs === null ? [] : seqsOf(seqs);
    const left = named.filter((seq) => !back.has(seq));
    if (left.length < named.length) await keep(via, String(name), String(id), left);
  }
  return changed(via, sql.RETRY, of);
}

async function replaceRow(
  via: Via,
  { queue, id }: ClaimKey,
  seq: number,
  jobs: Parameters<OutboxStore["replace"]>[3],
): Promise<boolean> {
  const seqs = await lockedSeqs(via, queue, id);
  const [row] = await rows(via, sql.ROW, [seq]);
  if (seqs?.includes(seq) !== true || row === undefined) return false;
  if (row["kind"] === "batch") await changed(via, sql.NOTE_BATCH, [row["id"]]);
  const left = seqs.filter((one) => one !== seq);
  await keep(via, queue, id, left);
  await changed(via, sql.PUBLISHED, [[seq]]);
  for (const part of partsOf(jobs)) await changed(via, INSERT_MYSQL, [part]);
  return true;
}

/** As parameters, each small enough for one statement, or of one job. */
function* partsOf(jobs: readonly StoredJob[]): Generator<string> {
  let part: StoredJob[] = [];
  let bytes = 0;
  for (const job of jobs) {
    const more = job.body.length + job.headers.length;
    if (part.length > 0 && bytes + more > MOST_PART_BYTES) {
      yield asParameter(part, "base64");
      [part, bytes] = [[], 0];
    }
    part.push(job);
    bytes += more;
  }
  if (part.length > 0) yield asParameter(part, "base64");
}

async function finishClaim(
  via: Via,
  queue: string,
  { id, rows: claimed }: Claim,
  aside: Aside,
): Promise<void> {
  const kept = new Set(aside.map(({ seq }) => seq));
  const published = claimed.map(({ seq }) => seq).filter((seq) => !kept.has(seq));
  const { length } = published;
  if ((await changed(via, sql.FINISH, [length, length, queue, id])) === 0) return;
  await putAside(via, aside);
  if (published.length > 0) await changed(via, sql.PUBLISHED, [published]);
}

async function claim(via: Via, queue: string, limits: ClaimLimits): Promise<Claim | undefined> {
  let made = await openClaim(via, queue);
  let isNew = false;
  if (made === undefined) {
    const seqs = withinBytes(await rows(via, sql.OLDEST, [queue, limits.rows]), limits.bytes);
    if (seqs.length === 0) return undefined;
    const id = randomUUID();
    isNew = (await changed(via, sql.CLAIM, [id, JSON.stringify(seqs), queue])) > 0;
    made = await openClaim(via, queue);
    if (made === undefined) return undefined;
    isNew &&= made.id === id;
  }
  const { id, ageMs, seqs } = made;
  const there = seqs.length === 0 ? [] : await rows(via, sql.CLAIMED, [seqs]);
  return { id, ageMs, isNew, rows: there.map(asRow) };
}

async function openClaim(via: Via, queue: string) {
  const [row] = await rows(via, sql.OPEN_CLAIM, [queue]);
  if (row === undefined) return undefined;
  const ageMs = Math.max(0, Number(row["age"]));
  return { id: String(row["claim"]), ageMs, seqs: seqsOf(row["seqs"]) };
}

/** The first row counts whatever its size. */
function withinBytes(oldest: readonly Row[], bytes: number): readonly number[] {
  let before = 0;
  const taken: number[] = [];
  for (const { seq, size } of oldest) {
    if (taken.length > 0 && before >= bytes) break;
    taken.push(Number(seq));
    before += Number(size);
  }
  return taken;
}

async function lockedSeqs(
  via: Via,
  queue: string,
  claimId: string,
): Promise<readonly number[] | undefined> {
  const [row] = await rows(via, sql.LOCK_CLAIM, [queue, claimId]);
  return row === undefined ? undefined : seqsOf(row["seqs"]);
}

async function keep(
  via: Via,
  queue: string,
  claimId: string,
  seqs: readonly number[],
): Promise<void> {
  await changed(via, sql.KEEP, [JSON.stringify(seqs), queue, claimId]);
}

function seqsOf(json: unknown): readonly number[] {
  return JSON.parse(String(json)) as readonly number[];
}

async function rows(via: Via, text: string, values: Values): Promise<readonly Row[]> {
  return (await via.query(text, values)) as readonly Row[];
}

async function changed(via: Via, text: string, values: Values): Promise<number> {
  return ((await via.query(text, values)) as ResultSetHeader).affectedRows;
}

/** By a connection of its own, which alone takes several statements at once. */
async function migrate(url: string): Promise<void> {
  const { createConnection } = await loadMysql2();
  const connection = await createConnection({
    ...connectionOptions(url),
    multipleStatements: true,
  });
  try {
    await connection.query(MYSQL_SCHEMA);
  } finally {
    connection.destroy();
  }
}
