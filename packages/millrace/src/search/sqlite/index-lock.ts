import { chmodSync, existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { isSqliteError, SQLITE_BUSY } from "./sqlite-error.ts";

/**
 * Says who keeps the file of an index: one thread of one process. It is a lock of the operating
 * system on a file beside it, so that it is gone however its process ends. The file stays.
 */
export class IndexLock {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Whether anybody has kept it yet. */
  static isMade(path: string): boolean {
    return existsSync(lockFile(path));
  }

  /** @returns undefined where another one keeps it */
  static take(path: string): IndexLock | undefined {
    const file = lockFile(path);
    const database = new DatabaseSync(file);
    try {
      database.exec("pragma busy_timeout = 0; begin exclusive");
      chmodSync(file, 0o600);
      return new IndexLock(database);
    } catch (error) {
      database.close();
      if (isSqliteError(error, SQLITE_BUSY)) return undefined;
      throw error;
    }
  }

  release(): void {
    this.#database.close();
  }
}

function lockFile(path: string): string {
  return `${path}-lock`;
}
