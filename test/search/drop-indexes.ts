import pg from "pg";

type Row = Readonly<Record<string, unknown>>;

/** Runs a statement on a connection of its own. */
export async function inPostgres(url: string, sql: string): Promise<readonly Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** The schemas of indexes of jobs. */
export async function indexSchemas(url: string): Promise<readonly string[]> {
  const rows = await inPostgres(
    url,
    "select nspname from pg_namespace where nspname like 'millrace_index_%' order by 1",
  );
  return rows.map(({ nspname }) => String(nspname));
}

/** As an operator may, who wants their room. */
export async function dropIndexes(url: string): Promise<void> {
  for (const schema of await indexSchemas(url))
    await inPostgres(url, `drop schema ${schema} cascade`);
}
