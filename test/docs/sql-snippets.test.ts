// The SQL of the pages, run by the databases that the pages speak of.
import { mkdtemp, rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { POSTGRES_SCHEMA } from "millrace/outbox";
import { postgresRecords, sqliteRecords } from "millrace/telemetry";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { record } from "../../packages/telemetry/src/records/record.fixture.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../harness/postgres.ts";
import { pageSnippets } from "./snippets.ts";

const SNIPPETS = pageSnippets("sql").map(({ page, line, text }) => ({
  ...{ name: `${page}:${line}`, page, text },
}));
const ofRecords = SNIPPETS.filter(({ page }) => page === "docs/records.md");
const missing = postgresMissing();

describe.skipIf(missing !== undefined)(
  `in a PostgreSQL that has Millrace's tables${missing === undefined ? "" : `: ${missing}`}`,
  () => {
    let server: TestPostgres;
    let database: pg.Client;

    beforeAll(async () => {
      server = await startPostgres();
      database = new pg.Client({ connectionString: server.url });
      await database.connect();
      await database.query(POSTGRES_SCHEMA);
      const records = postgresRecords({ url: server.url });
      await records.write([record({ outcome: "failed" })]);
      await records.close();
    }, 120_000);

    afterAll(async () => {
      await database?.end();
      await server?.remove();
    });

    test.each(SNIPPETS)("the SQL of $name runs", async ({ text }) => {
      await expect(database.query(text)).resolves.toBeDefined();
    });

    test("the outbox's functions have stored what the page enqueues and publishes", async () => {
      await database.query("DELETE FROM millrace_outbox");
      for (const { text } of SNIPPETS.filter(({ page }) => page === "docs/outbox.md"))
        await database.query(text);
      const { rows } = await database.query("SELECT id FROM millrace_outbox");
      expect(rows).toHaveLength(2);
    });

    test("SQL that is wrong is told", async () => {
      await expect(database.query("SELECT millrace_enque('mail', 'x', '{}')")).rejects.toThrow(
        /millrace_enque/,
      );
    });
  },
);

test("the records' SQL runs in the SQLite that the page speaks of", async () => {
  const dir = await mkdtemp(join(tmpdir(), "millrace-sql-"));
  cleanUpLater(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, "records.db");
  const records = sqliteRecords({ path });
  await records.write([record({ outcome: "failed" })]);
  await records.close();
  const database = new DatabaseSync(path);
  cleanUpLater(() => database.close());
  expect(ofRecords.length).toBeGreaterThan(0);
  for (const { text } of ofRecords) expect(database.prepare(text).all()).toHaveLength(1);
});
