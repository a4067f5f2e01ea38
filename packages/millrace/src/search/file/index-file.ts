import { chmodSync, mkdirSync, rmSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";

/** "MlrI" in the header of a SQLite file: it is an index of jobs. */
const APPLICATION_ID = 0x4d_6c_72_49;
/** Of the log beside it; a longer one is cut off once its pages are in the file. */
const LOG_BYTES = 4 * 2 ** 20;
/** Indexes had no such id before, and these tables. */
const EARLIER = "select count(*) as count from sqlite_schema where name in ('meta', 'job', 'word')";

/**
 * Opens the file of an index, or makes it.
 *
 * @param path empty: a file without a name, which goes with the process
 * @throws Error where the file has anything else in it, which it leaves as it is
 */
export function openIndexFile(path: string): DatabaseSync {
  if (path !== "" && refuseOtherFile(path) === "earlier") removeIndexFile(path);
  const database = new DatabaseSync(path);
  // The first two count before anything else is written, and are in the file itself from then on.
  // What was asked for is there again after a crash, or is read again from the streams.
  database.exec(
    `pragma busy_timeout = 5000; pragma auto_vacuum = incremental;
     pragma application_id = ${APPLICATION_ID};
     pragma journal_mode = wal; pragma journal_size_limit = ${LOG_BYTES};
     pragma synchronous = off; pragma secure_delete = on`,
  );
  // Payloads are nobody else's to read.
  if (path !== "") chmodSync(path, 0o600);
  return database;
}

/**
 * Opens the file of an index that another process keeps.
 *
 * @returns undefined where it is not there yet
 */
export function openKeptFile(path: string): DatabaseSync | undefined {
  if (!isIndexFile(path)) return undefined;
  const database = new DatabaseSync(path, { readOnly: true });
  database.exec("pragma busy_timeout = 5000");
  return database;
}

/**
 * And makes its folder.
 *
 * @throws Error where the file has anything else in it than an index
 */
export function refuseOtherFile(path: string): "nothing" | "index" | "earlier" {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const found = whatIsIn(path);
  if (found !== "other") return found;
  throw new Error("the file has something else in it. Name another, or delete it");
}

/** Whether it is an index, by its header: it may be damaged. */
export function isIndexFile(path: string): boolean {
  return path !== "" && whatIsIn(path) === "index";
}

export function removeIndexFile(path: string): void {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
}

/** Looks without a trace: no lock is taken, and no file made beside it. */
function whatIsIn(path: string): "nothing" | "index" | "earlier" | "other" {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0) return "nothing";
  const url = pathToFileURL(resolve(path));
  url.searchParams.set("immutable", "1");
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(url, { readOnly: true });
    const id = database.prepare("pragma application_id").get()?.["application_id"];
    if (id === APPLICATION_ID) return "index";
    if (id !== 0 || database.prepare(EARLIER).get()?.["count"] !== 3) return "other";
    const version = database.prepare("select value from meta where name = 'version'").get();
    const identity = database.prepare("select value from meta where name = 'identity'").get();
    return version === undefined || identity === undefined ? "other" : "earlier";
  } catch {
    return "other";
  } finally {
    database?.close();
  }
}
