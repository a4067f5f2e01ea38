import { Client, type QueryResult } from "pg";
import { eventually } from "../../test/harness/deadline.ts";

/** A database of its own for one contender, gone when disposed of; `url` leads to it. */
export interface OwnDatabase extends AsyncDisposable {
  readonly url: string;
  query(sql: string): Promise<QueryResult<Record<string, unknown>>>;
}

export async function createDatabase(serverUrl: string, namespace: string): Promise<OwnDatabase> {
  const name = namespace.replaceAll("-", "_");
  const admin = new Client({ connectionString: serverUrl });
  await admin.connect();
  const { rowCount } = await admin.query("SELECT 1 FROM pg_database WHERE datname = $1", [name]);
  // A second process of the same contender finds it.
  if (rowCount === 0) await admin.query(`CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const client = new Client({ connectionString: url.href });
  await client.connect();
  return {
    url: url.href,
    query: (sql) => client.query(sql),
    async [Symbol.asyncDispose]() {
      await client.end();
      // A pool's connections are gone a moment after it has ended; one that is cut off would be an
      // error of its own.
      await eventually(
        async () => {
          const { rows } = await admin.query(
            "SELECT 1 FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'",
            [name],
          );
          return rows.length === 0;
        },
        { withinMs: 20_000, describe: `nobody is connected to ${name}` },
      );
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}
