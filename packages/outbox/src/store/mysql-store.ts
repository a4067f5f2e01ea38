import { randomUUID } from "node:crypto";
import { MillraceError, optionNames, refuseUnknown, requireText } from "@millrace/core";
import type { Pool, PoolConnection, ResultSetHeader } from "mysql2/promise";
import type { Row } from "../database/transaction.ts";
import { asParameter } from "../rows/stored-job.ts";
import { MYSQL_SCHEMA } from "../schema/mysql.ts";
import { INSERT_MYSQL } from "../writer/insert.ts";
import type { Claim, ClaimLimits, OutboxStore } from "./outbox-store.ts";
import { asOutboxError } from "./outbox-error.ts";
import { asRow, asSetAside, asStatus } from "./read-rows.ts";
import * as sql from "./mysql-statements.ts";

/** Where the database of an outbox is. */
export interface MysqlOutboxOptions {
  /** `mysql://user:password@host/database`. */
  readonly url: string;
}

type Values = readonly unknown[];
/** Of a pool, or of one connection in a transaction. */
type Via = Pick<Pool, "query">;

const CONNECT_MS = 5_000;
const STATEMENT_MS = 10_000;
/** Relays work several queues side by side. */
const CONNECTIONS = 4;
/** No table, no column. */
const UNMIGRATED: ReadonlySet<string> = new Set(["ER_NO_SUCH_TABLE", "ER_BAD_FIELD_ERROR"]);

const NAMES = optionNames<MysqlOutboxOptions>({ url: true });

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
  const { url } = options;
  requireText(url, "url");
  let pool: Promise<Pool> | undefined;

  async function use<Result>(act: (pool: Pool) => Promise<Result>): Promise<Result> {
    try {
      return await act(await (pool ??= openPool(url)));
    } catch (error) {
      throw asOutboxError(error, ({ code }) => UNMIGRATED.has(code));
    }
  }
  const run = (text: string, values: Values = []) => use((opened) => rows(opened, text, values));
  const change = (text: string, values: Values) => use((opened) => changed(opened, text, values));

  /** One transaction, rolled back where the function throws. */
  const atomically = <Result>(act: (via: PoolConnection) => Promise<Result>): Promise<Result> =>
    use(async (opened) => {
      const connection = await opened.getConnection();
      try {
        await connection.beginTransaction();
        const result = await act(connection);
        await connection.commit();
        connection.release();
        return result;
      } catch (error) {
        // What is open on it goes with it.
        connection.destroy();
        throw error;
      }
    });

  return {
    migrate: () => use(() => migrate(url)),
    queues: async () => (await run(sql.QUEUES)).map(({ queue }) => String(queue)),
    async mark(queue) {
      await change(sql.ENSURE_QUEUE, [queue, randomUUID().replaceAll("-", "")]);
      return String((await run(sql.MARK, [queue]))[0]?.["mark"]);
    },
    claim: (queue, limits) => use((opened) => claim(opened, queue, limits)),
    setAside: (queue, { id }, aside) =>
      atomically((via) => setAsideRows(via, { queue, id }, aside)),
    replace: (queue, { id }, seq, jobs) =>
      atomically((via) => replaceRow(via, { queue, id }, seq, jobs)),
    finish: (queue, claim, aside) => atomically((via) => finishClaim(via, queue, claim, aside)),
    note: async (queue, trouble) =>
      void (await change(sql.NOTE, [trouble ?? null, trouble ?? null, queue])),
    status: async () => (await run(sql.STATUS)).map(asStatus),
    listSetAside: async (limit) => (await run(sql.SET_ASIDE, [limit])).map(asSetAside),
    retry: (queue) => change(sql.RETRY, [queue ?? null, queue ?? null]),
    batches: async ({ olderThanMs, after = "", limit }) =>
      (await run(sql.BATCHES, [olderThanMs, after, limit])).map(({ id }) => String(id)),
    forgetBatches: async (ids) => {
      if (ids.length > 0) await change(sql.FORGET_BATCHES, [ids]);
    },
    // Nobody is notified: the relay looks by itself.
    setIdle: async () => {},
    async close() {
      const open = pool;
      pool = undefined;
      await (await open)?.end();
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
  if (jobs.length > 0) await changed(via, INSERT_MYSQL, [asParameter(jobs, "base64")]);
  return true;
}

async function finishClaim(
  via: Via,
  queue: string,
  { id, rows: claimed }: Claim,
  aside: Aside,
): Promise<void> {
  if ((await changed(via, sql.FINISH, [queue, id])) === 0) return;
  await putAside(via, aside);
  const kept = new Set(aside.map(({ seq }) => seq));
  const published = claimed.map(({ seq }) => seq).filter((seq) => !kept.has(seq));
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
  return { id: String(row["claim"]), ageMs: Number(row["age"]), seqs: seqsOf(row["seqs"]) };
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
  const [answer] = await via.query({ sql: text, timeout: STATEMENT_MS }, [...values]);
  return answer as readonly Row[];
}

async function changed(via: Via, text: string, values: Values): Promise<number> {
  const [answer] = await via.query({ sql: text, timeout: STATEMENT_MS }, [...values]);
  return (answer as ResultSetHeader).affectedRows;
}

/** By a connection of its own, which alone takes several statements at once. */
async function migrate(url: string): Promise<void> {
  const { createConnection } = await loadMysql2();
  const connection = await createConnection({ ...options(url), multipleStatements: true });
  try {
    await connection.query(MYSQL_SCHEMA);
  } finally {
    connection.destroy();
  }
}

async function openPool(url: string): Promise<Pool> {
  const { createPool } = await loadMysql2();
  const pool = createPool({ ...options(url), connectionLimit: CONNECTIONS });
  // The package writes texts into statements, and escapes them by backslashes.
  pool.pool.on("connection", (connection) => void connection.query(WITH_BACKSLASHES));
  return pool;
}

const WITH_BACKSLASHES =
  "SET SESSION sql_mode = REPLACE(@@SESSION.sql_mode, 'NO_BACKSLASH_ESCAPES', '')";

function options(url: string) {
  return { uri: url, connectTimeout: CONNECT_MS, charset: "utf8mb4" };
}

/** @throws MillraceError `outbox-failed` where the package mysql2 is not installed */
async function loadMysql2() {
  return import("mysql2/promise").catch((cause: unknown) => {
    throw new MillraceError(
      "outbox-failed",
      "An outbox in MariaDB or MySQL needs the package mysql2: install it beside millrace (npm install mysql2).",
      { cause },
    );
  });
}
