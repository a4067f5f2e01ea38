import { DatabaseSync } from "node:sqlite";

/**
 * A table that a lock protects, and that checks the lock's token itself. Any database can do this.
 */
export class Totals {
  readonly #db: DatabaseSync;

  constructor(file: string) {
    this.#db = new DatabaseSync(file, { timeout: 5_000 });
    this.#db.exec(`
      CREATE TABLE IF NOT EXISTS totals
        (month TEXT PRIMARY KEY, cents INTEGER NOT NULL, runs INTEGER NOT NULL, token INTEGER NOT NULL)`);
  }

  /** First of all: from here on whoever had the lock before is refused. */
  claim(month: string, token: number): void {
    this.#db.prepare("INSERT OR IGNORE INTO totals VALUES (?, 0, 0, 0)").run(month);
    const { changes } = this.#db
      .prepare("UPDATE totals SET token = ? WHERE month = ? AND token < ?")
      .run(token, month, token);
    if (changes === 0) throw new Error(`a later holder than ${token} is at work on ${month}`);
  }

  write(month: string, cents: number, token: number): void {
    const { changes } = this.#db
      .prepare("UPDATE totals SET cents = ?, runs = runs + 1 WHERE month = ? AND token = ?")
      .run(cents, month, token);
    if (changes === 0) throw new Error(`token ${token} is stale: nothing was written`);
  }

  read(month: string): { readonly cents: number; readonly runs: number } | undefined {
    const row = this.#db.prepare("SELECT cents, runs FROM totals WHERE month = ?").get(month);
    return row && { cents: Number(row["cents"]), runs: Number(row["runs"]) };
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}
