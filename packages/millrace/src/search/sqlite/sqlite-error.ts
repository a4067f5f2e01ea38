// https://sqlite.org/rescode.html
export const SQLITE_BUSY = 5;
export const SQLITE_CORRUPT = 11;
export const SQLITE_FULL = 13;
/** Its first page is not one of SQLite's. */
export const SQLITE_NOTADB = 26;

/** By SQLite's own code, which may have more above the low byte: a message may quote a reader. */
export function isSqliteError(error: unknown, code: number): boolean {
  return (
    error instanceof Error &&
    "errcode" in error &&
    typeof error.errcode === "number" &&
    (error.errcode & 0xff) === code
  );
}
