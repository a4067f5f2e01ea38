/** A row as a driver gives it. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * An open transaction of a PostgreSQL or MariaDB database. An adapter is a function that makes one
 * of what its driver calls a transaction.
 *
 * @example
 * const myDriver = (tx: MyTransaction): Transaction => ({
 *   run: async (sql, parameters) => (await tx.execute(sql, parameters)).rows,
 * });
 */
export interface Transaction {
  /** What its statements are written in. Default: `postgres`. */
  readonly language?: "postgres" | "mysql";
  /**
   * Runs one statement within the transaction.
   *
   * @param sql with the placeholders `$1`, `$2` …, each once and in this order; `?` in `mysql`
   * @param parameters texts, one for each placeholder
   * @returns the rows of the answer; none where the statement returns none
   */
  readonly run: (sql: string, parameters: readonly string[]) => Promise<readonly Row[]>;
}

/** An open transaction of a SQLite database, whose drivers answer at once. */
export interface SyncTransaction {
  /**
   * Runs one statement within the transaction.
   *
   * @param sql with a placeholder `?` for each parameter; it returns no rows
   */
  readonly runSync: (sql: string, parameters: readonly string[]) => void;
}
