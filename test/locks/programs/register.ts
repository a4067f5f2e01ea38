import { DatabaseSync } from "node:sqlite";

export interface Write {
  readonly writer: string;
  readonly token: number;
  /** Whether the holder, asked right before, believed that it had the lock. */
  readonly believed: boolean;
  readonly accepted: boolean;
}

/**
 * What a lock protects: a row that several processes write to, and that refuses a token smaller
 * than the greatest it saw.
 */
export class Register {
  readonly #db: DatabaseSync;

  constructor(file: string) {
    this.#db = new DatabaseSync(file, { timeout: 10_000 });
    this.#db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = OFF;
      CREATE TABLE IF NOT EXISTS fenced (id INTEGER PRIMARY KEY, writer TEXT, token INTEGER);
      INSERT OR IGNORE INTO fenced VALUES (1, '', 0);
      CREATE TABLE IF NOT EXISTS writes (at INTEGER PRIMARY KEY, writer TEXT, token INTEGER, believed INTEGER, accepted INTEGER);
    `);
  }

  /** @returns whether it was accepted */
  write(writer: string, token: number, believed: boolean): boolean {
    const { changes } = this.#db
      .prepare("UPDATE fenced SET writer = ?, token = ? WHERE id = 1 AND token <= ?")
      .run(writer, token, token);
    this.#db
      .prepare("INSERT INTO writes (writer, token, believed, accepted) VALUES (?, ?, ?, ?)")
      .run(writer, token, Number(believed), Number(changes));
    return changes === 1;
  }

  /** In their order. */
  writes(): readonly Write[] {
    return this.#db
      .prepare("SELECT writer, token, believed, accepted FROM writes ORDER BY at")
      .all()
      .map(({ writer, token, believed, accepted }) => ({
        writer: String(writer),
        token: Number(token),
        believed: believed === 1,
        accepted: accepted === 1,
      }));
  }

  close(): void {
    this.#db.close();
  }
}
