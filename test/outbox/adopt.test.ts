// Rows of a table that somebody else's program writes, as jobs.
import { MemoryBroker } from "@millrace/testkit";
import { type AdoptedTable, postgresOutbox, startRelay } from "millrace/outbox";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { millraceHere } from "../cli/millrace.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { postgresMissing, type TestPostgres } from "../harness/postgres.ts";
import { type OutboxDatabase, outboxDatabase } from "./outbox-database.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const missing = postgresMissing();

describe.skipIf(missing !== undefined)(
  `a table of one's own${missing === undefined ? "" : `: ${missing}`}`,
  () => {
    let database: OutboxDatabase | undefined;
    let postgres: TestPostgres;
    let pool: pg.Pool;
    beforeAll(async () => {
      database = await outboxDatabase();
      ({ postgres, pool } = database);
    });
    afterAll(() => database?.close());
    beforeEach(async () => {
      await pool.query("TRUNCATE millrace_outbox, millrace_outbox_claim RESTART IDENTITY");
      await pool.query('DROP TABLE IF EXISTS events, "Odd ""name"""');
      await pool.query(
        "CREATE TABLE events (id bigint PRIMARY KEY, kind text, data text, meta jsonb, sent_at int)",
      );
    });

    const EVENTS: AdoptedTable = {
      table: "public.events",
      queue: { value: "events" },
      name: { column: "kind" },
      payload: "data",
      id: "id",
      headers: "meta",
    };
    async function adopt(table: AdoptedTable): Promise<void> {
      const store = postgresOutbox({ url: postgres.url });
      try {
        await store.adopt?.(table);
      } finally {
        await store.close();
      }
    }
    const insert = (id: number, data = '{"n": 1}'): Promise<unknown> =>
      pool.query("INSERT INTO events VALUES ($1, 'order.placed', $2, '{\"x-shop\": \"7\"}')", [
        id,
        data,
      ]);
    const ids = async (): Promise<readonly string[]> => {
      const { rows } = await pool.query<{ id: string }>(
        "SELECT id FROM millrace_outbox ORDER BY seq",
      );
      return rows.map(({ id }) => id);
    };
    const left = async (): Promise<number> =>
      (await pool.query("SELECT 1 FROM events")).rowCount ?? 0;

    test("a row becomes a job of its transaction, with its columns' values", async () => {
      await adopt(EVENTS);
      const client = await pool.connect();
      await client.query("BEGIN");
      await client.query("INSERT INTO events VALUES (1, 'order.placed', 'null')");
      await client.query("ROLLBACK");
      client.release();
      await insert(2, '{"order": "ö"}');
      expect([await ids(), await left()]).toEqual([["2"], 1]);
      const broker = new MemoryBroker();
      cleanUpLater(() => broker.close());
      await broker.queues.ensure("events");
      const relay = await startRelay({ broker, store: postgresOutbox({ url: postgres.url }) });
      cleanUpLater(() => relay.stop());
      const job = await eventually(async () => (await broker.listWaiting("events"))[0], {
        withinMs: 60_000,
        describe: "the job is in its queue",
      });
      expect(job.envelope).toMatchObject({
        ...{ id: "2", name: "order.placed", payload: { order: "ö" }, headers: { "x-shop": "7" } },
      });
    });

    test("a table that is adopted again under another name makes one job of a row", async () => {
      await adopt({ ...EVENTS, table: "events", id: "id", deleteRows: true });
      await adopt(EVENTS);
      await insert(1);
      expect([await ids(), await left()]).toEqual([["1"], 1]);
      await pool.query("DROP TABLE IF EXISTS happenings; ALTER TABLE events RENAME TO happenings");
      await adopt({ ...EVENTS, table: "happenings", deleteRows: true });
      await pool.query("INSERT INTO happenings VALUES (2, 'order.placed', '{}', '{}')");
      expect(await ids()).toEqual(["1", "2"]);
      const { rows } = await pool.query(
        "SELECT proname FROM pg_proc WHERE proname LIKE 'millrace_adopt_%events%'",
      );
      expect(rows).toEqual([]);
      await pool.query("DROP TABLE happenings");
    });

    test("rows that can be no job are refused when they are written", async () => {
      await adopt({ ...EVENTS, queue: { column: "kind" } });
      await expect(insert(1)).rejects.toThrow(/is no queue name/);
      await adopt(EVENTS);
      await expect(insert(1, "no json")).rejects.toThrow(/json/);
      await adopt({ ...EVENTS, name: { column: "data" } });
      await expect(insert(1)).rejects.toThrow(/is no job name/);
      await expect(adopt({ ...EVENTS, name: { value: "order placed" } })).rejects.toMatchObject({
        code: "invalid-name",
      });
      expect([await ids(), await left()]).toEqual([[], 0]);
    });

    test("rows that were there are taken in their order, each once, and removed where asked for", async () => {
      for (const id of [12, 2, 7]) await insert(id);
      await pool.query("UPDATE events SET sent_at = 1 WHERE id = 2");
      await adopt({ ...EVENTS, deleteRows: true, existing: "sent_at IS NULL" });
      await insert(13);
      expect([await ids(), await left()]).toEqual([["7", "12", "13"], 1]);
      // Again, which takes nothing a second time: they are gone.
      await adopt({ ...EVENTS, deleteRows: true, existing: "sent_at IS NULL" });
      expect(await ids()).toEqual(["7", "12", "13"]);
    });

    test("writers wait while rows that are there are taken, and none falls in between", async () => {
      let next = 1;
      let writing = true;
      const writers = [1, 2].map(async () => {
        while (writing) await insert((next += 1));
      });
      const wrote = (count: number) =>
        eventually(() => next > count, { withinMs: 60_000, describe: `${count} rows are written` });
      await wrote(20);
      await adopt({ ...EVENTS, existing: "true" });
      await wrote(next + 20);
      writing = false;
      await Promise.all(writers);
      const taken = await ids();
      expect(taken).toHaveLength(await left());
      expect(new Set(taken).size).toBe(taken.length);
    });

    test("names are names, whatever is in them", async () => {
      await pool.query(
        `CREATE TABLE "Odd ""name""" ("the data" jsonb, "it's \\ ""a name""; --" text)`,
      );
      const odd: AdoptedTable = {
        table: 'Odd "name"',
        queue: { value: "events" },
        name: { column: `it's \\ "a name"; --` },
        payload: "the data",
      };
      await adopt(odd);
      await pool.query(`INSERT INTO "Odd ""name""" VALUES ('1', 'odd')`);
      const { rows } = await pool.query<{ name: string }>(
        "SELECT convert_from(body, 'UTF8')::jsonb->>'name' AS name FROM millrace_outbox",
      );
      expect(rows).toEqual([{ name: "odd" }]);
      for (const table of ["", "a.b.c", "a."])
        await expect(adopt({ ...odd, table })).rejects.toMatchObject({ code: "invalid-option" });
      await expect(adopt({ ...odd, deleteRows: true })).rejects.toThrow(/name the column/);
      await expect(adopt({ ...odd, table: "gone" })).rejects.toMatchObject({
        code: "outbox-failed",
      });
    });

    test("the command does it, prints it, and says what is missing", async () => {
      const flags = ["--payload-column", "data", "--name-column", "kind", "--id-column", "id"];
      const env = { MILLRACE_OUTBOX_POSTGRES: postgres.url };
      const run = (args: readonly string[]) => millraceHere(["outbox", "adopt", ...args], { env });
      expect(await run(["events", ...flags])).toMatchObject({ code: 2 });
      const printed = await run(["events", ...flags, "--to-queue", "events", "--print"]);
      expect(printed.out).toContain("CREATE TRIGGER");
      await insert(1);
      expect(await ids()).toEqual([]);
      expect(await run(["events", ...flags, "--to-queue", "events"])).toMatchObject({ code: 0 });
      await insert(2);
      expect(await ids()).toEqual(["2"]);
      const sqlite = ["--to-queue", "events", "--outbox-sqlite", ":memory:"];
      const refused = await millraceHere(["outbox", "adopt", "events", ...flags, ...sqlite]);
      expect(refused).toMatchObject({ code: 2 });
      expect(refused.err).toContain("PostgreSQL");
    });
  },
);
