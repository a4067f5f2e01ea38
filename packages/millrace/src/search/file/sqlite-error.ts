/** By SQLite's own code, which may have more above the low byte: a message may quote a reader. */
export function isSqliteError(error: unknown, code: number): boolean {
  return (
    error instanceof Error &&
    "errcode" in error &&
    typeof error.errcode === "number" &&
    (error.errcode & 0xff) === code
  );
}
