import { chmodSync, closeSync, mkdirSync, openSync, readSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SCHEMA } from "./index-schema.ts";
import { isOf, setIdentity } from "./index-meta.ts";
import { isSqliteError, SQLITE_CORRUPT, SQLITE_NOTADB } from "./sqlite-error.ts";

/** The first bytes of a SQLite file, https://sqlite.org/fileformat.html */
const HEADER_BYTES = 100;
const MAGIC = "SQLite format 3\0";
const APPLICATION_ID_AT = 68;
/** "MlrI": it is an index of jobs. */
const APPLICATION_ID = 0x4d_6c_72_49;
/** Of the log beside it; a longer one is cut off once its pages are in the file. */
const LOG_BYTES = 4 * 2 ** 20;
/** They count before anything else is written, and are in the file itself from then on. */
const FIRST = `pragma auto_vacuum = incremental; pragma application_id = ${APPLICATION_ID};`;

/**
 * Opens the file of an index, or makes it. All that is in it can be read again: one of something
 * else, or that is damaged, is made anew. Nobody else may keep it meanwhile.
 *
 * @param path empty: a file without a name, which goes with the process
 * @param identity what it is an index of
 * @throws Error where the file has anything else in it, which it leaves as it is
 */
export function openIndexFile(path: string, identity: string): DatabaseSync {
  if (path !== "" && refuseOtherFile(path) === "index") {
    const found = openWhereOf(path, identity);
    if (found !== undefined) return found;
  }
  // Whole files go, and the one that tells of the others first: a process may end at any time.
  removeIndexFile(path);
  const made = opened(path, FIRST);
  try {
    // In one transaction: where it says what it is of, all of it is there.
    made.exec(`begin immediate; ${SCHEMA}`);
    setIdentity(made, identity);
    made.exec("commit");
    return made;
  } catch (error) {
    made.close();
    throw error;
  }
}

/** Opens the file of an index that another process keeps, to be read. */
export function openKeptFile(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true });
  database.exec("pragma busy_timeout = 5000");
  return database;
}

/**
 * And makes its folder.
 *
 * @throws Error where the file has anything else in it than an index
 */
export function refuseOtherFile(path: string): "nothing" | "index" {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const found = whatIsIn(path);
  if (found !== "other") return found;
  throw new Error(
    "the file has something else in it, or an index of an early version. Name another, or delete it: an index is made again",
  );
}

/** None where it has no name. */
export function removeIndexFile(path: string): void {
  if (path === "") return;
  for (const file of [path, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
}

function openWhereOf(path: string, identity: string): DatabaseSync | undefined {
  let database: DatabaseSync | undefined;
  let isIt = false;
  try {
    database = opened(path);
    isIt = isOf(database, identity);
  } catch (error) {
    if (!isSqliteError(error, SQLITE_CORRUPT) && !isSqliteError(error, SQLITE_NOTADB)) throw error;
  } finally {
    if (!isIt) database?.close();
  }
  return isIt ? database : undefined;
}

function opened(path: string, first = ""): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    // What was asked for is there again after a crash, or is read again from the streams.
    database.exec(
      `pragma busy_timeout = 5000; ${first}
       pragma journal_mode = wal; pragma journal_size_limit = ${LOG_BYTES};
       pragma synchronous = off; pragma secure_delete = on`,
    );
    // Payloads are nobody else's to read.
    if (path !== "") chmodSync(path, 0o600);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Looks at the header only. SQLite would have to see the log, too, in which more may be than in the
 * file: after a crash, on a full disk, and while another process writes.
 */
function whatIsIn(path: string): "nothing" | "index" | "other" {
  const header = headerOf(path);
  if (header.length === 0) return "nothing";
  const isSqlite = header.toString("latin1").startsWith(MAGIC);
  const hasId = header.length >= APPLICATION_ID_AT + 4;
  const isIndex = isSqlite && hasId && header.readUInt32BE(APPLICATION_ID_AT) === APPLICATION_ID;
  return isIndex ? "index" : "other";
}

/** @returns empty where there is no such file */
function headerOf(path: string): Buffer {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      return Buffer.alloc(0);
    throw error;
  }
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    return header.subarray(0, readSync(file, header, 0, HEADER_BYTES, 0));
  } finally {
    closeSync(file);
  }
}
