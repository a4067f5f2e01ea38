import type { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { asOutboxError } from "./outbox-error.ts";

/** How long a statement waits for others that write. */
const BUSY_MS = 5_000;
const MOST_BETWEEN_TRIES_MS = 50;
/** As SQLite numbers it. */
const BUSY = 5;
const NO_TABLE_OR_COLUMN = /no such (?:table|column)/;

/** Opens the database of a file when it is used first. */
export class SqliteConnection {
  readonly #path: string;
  #database: DatabaseSync | undefined;
  /** For all who come before it is open. */
  #opening: Promise<DatabaseSync> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * SQLite would wait on this thread for others that write. Who writes may be in this very process:
   * in the middle of its transaction, waiting for something that this thread has to do.
   *
   * @param act does nothing where it throws
   * @throws MillraceError `outbox-failed`
   */
  async use<Result>(act: (database: DatabaseSync) => Result): Promise<Result> {
    let waitedMs = 0;
    for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, MOST_BETWEEN_TRIES_MS)) {
      try {
        return act(this.#database ?? (await this.#open()));
      } catch (error) {
        const failure = asOutboxError(error, ({ message }) => NO_TABLE_OR_COLUMN.test(message));
        if (!isBusy(error) || waitedMs >= BUSY_MS) throw failure;
        await setTimeout(waitMs);
        waitedMs += waitMs;
        // Closed meanwhile: another try would open it again.
        if (this.#database === undefined) throw failure;
      }
    }
  }

  async #open(): Promise<DatabaseSync> {
    this.#opening ??= open(this.#path);
    try {
      return (this.#database = await this.#opening);
    } finally {
      this.#opening = undefined;
    }
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
  }
}

async function open(path: string): Promise<DatabaseSync> {
  const { DatabaseSync: Database } = await import("node:sqlite");
  return new Database(path, { timeout: 0 });
}

function isBusy(error: unknown): boolean {
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) : 0;
  // The rest of the number says why.
  return (code & 0xff) === BUSY;
}
