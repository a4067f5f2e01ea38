import { POSTGRES_SCHEMA } from "millrace/outbox";
import pg from "pg";
import { startPostgres, type TestPostgres } from "../harness/postgres.ts";

export interface OutboxDatabase {
  readonly postgres: TestPostgres;
  readonly pool: pg.Pool;
  close(): Promise<void>;
}

/**
 * A PostgreSQL with the outbox's tables.
 *
 * @param more statements for tables of the test's own
 * @param max connections of the pool
 */
export async function outboxDatabase(
  more: readonly string[] = [],
  max = 4,
): Promise<OutboxDatabase> {
  const postgres = await startPostgres();
  const pool = new pg.Pool({ connectionString: postgres.url, max });
  for (const statement of [POSTGRES_SCHEMA, ...more]) await pool.query(statement);
  return {
    postgres,
    pool,
    async close() {
      await pool.end();
      await postgres.remove();
    },
  };
}
