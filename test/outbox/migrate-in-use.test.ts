import { defineJob } from "millrace";
import { createOutbox, pgTransaction, POSTGRES_SCHEMA, postgresOutbox } from "millrace/outbox";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../harness/postgres.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const missing = postgresMissing();
const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });
const outbox = createOutbox(pgTransaction);

describe.skipIf(missing !== undefined)(
  `outbox migrate in a database that is in use${missing === undefined ? "" : `: ${missing}`}`,
  () => {
    let server: TestPostgres | undefined;
    let url: string;
    beforeAll(async () => {
      server = await startPostgres();
      ({ url } = server);
    });
    afterAll(() => server?.remove());
    beforeEach(async () => {
      const client = await connected();
      await client.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    });

    async function connected(): Promise<pg.Client> {
      const client = new pg.Client({ connectionString: url, statement_timeout: 30_000 });
      await client.connect();
      cleanUpLater(() => client.end());
      return client;
    }
    async function migrate(): Promise<void> {
      const store = postgresOutbox({ url });
      try {
        await store.migrate();
      } finally {
        await store.close();
      }
    }

    test("goes through beside a transaction that has written and stays open", async () => {
      await migrate();
      const open = await connected();
      await open.query("BEGIN");
      await outbox(open).enqueue(mail, { to: "a" }, { id: "a" });
      await migrate();
      // A job that was enqueued meanwhile would have waited for both.
      await outbox(await connected()).enqueue(mail, { to: "b" }, { id: "b" });
      await open.query("COMMIT");
      const { rows } = await open.query("SELECT id FROM millrace_outbox ORDER BY id");
      expect(rows).toEqual([{ id: "a" }, { id: "b" }]);
    });

    test("several at once make the tables once", async () => {
      await Promise.all(Array.from({ length: 6 }, () => migrate()));
      const client = await connected();
      await outbox(client).enqueue(mail, { to: "a" });
      const { rows } = await client.query(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'millrace_outbox'::regclass",
      );
      expect(rows).toEqual([{ tgname: "millrace_outbox_notify" }]);
    });

    test("adds what tables of an earlier version lack, but does not hold up writers for it", async () => {
      const client = await connected();
      await client.query(POSTGRES_SCHEMA);
      await client.query("ALTER TABLE millrace_outbox DROP COLUMN subject");
      await client.query("ALTER TABLE millrace_done DROP COLUMN gone_at");
      await client.query("DROP TRIGGER millrace_outbox_notify ON millrace_outbox");
      await client.query("DROP INDEX millrace_outbox_waiting");
      const open = await connected();
      await open.query("BEGIN");
      await outbox(open).enqueue(mail, { to: "a" }, { id: "a" });
      await expect(migrate()).rejects.toThrow(/lock timeout/);
      await open.query("COMMIT");
      await migrate();
      const { rows } = await client.query("SELECT subject FROM millrace_outbox");
      expect(rows).toEqual([{ subject: null }]);
      await client.query("SELECT gone_at FROM millrace_done");
      const { rows: made } = await client.query(
        `SELECT to_regclass('millrace_outbox_waiting') IS NOT NULL AS index,
          EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = 'millrace_outbox_notify') AS trigger`,
      );
      expect(made).toEqual([{ index: true, trigger: true }]);
    });
  },
);
