// Two outboxes in one PostgreSQL database, each in a schema of its own: the rows of an adopted
// table go to the one that has adopted it, whichever is brought up to date.
import { type AdoptedTable, postgresOutbox } from "millrace/outbox";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { postgresMissing } from "../harness/postgres.ts";
import { type OutboxDatabase, outboxDatabase } from "./outbox-database.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const missing = postgresMissing();

describe.skipIf(missing !== undefined)("two outboxes in one database", () => {
  let database: OutboxDatabase;
  const warned = vi.spyOn(process, "emitWarning");
  beforeAll(async () => {
    const schemas = ["a", "b", "shop", "app"].map((schema) => `CREATE SCHEMA ${schema}`);
    database = await outboxDatabase(["DROP SCHEMA public CASCADE", ...schemas]);
  });
  beforeEach(async () => {
    for (const schema of ["a", "b", "shop", "app"])
      await database.pool.query(`DROP SCHEMA ${schema} CASCADE; CREATE SCHEMA ${schema}`);
    warned.mockReset();
  });
  afterAll(() => database?.close());

  /** What an operator was told; the process may warn of other things. */
  const told = (): readonly string[] =>
    warned.mock.calls.map(([warning]) => String(warning)).filter((text) => text.includes("outbox"));

  /** The outbox of a program with this search path. */
  function outboxOf(path: string) {
    const url = new URL(database.postgres.url);
    url.searchParams.set("options", `-c search_path=${path}`);
    const store = postgresOutbox({ url: url.href });
    cleanUpLater(() => store.close());
    return store;
  }

  /** As an earlier version left it: its function goes by the writer's search path. */
  async function adoptedBefore(path: string, table: string): Promise<void> {
    const { pool } = database;
    await pool.query(`CREATE TABLE ${table} (id text, data jsonb)`);
    const adopted: AdoptedTable = {
      ...{ table, queue: { value: "mail" }, name: { value: "x" }, payload: "data", id: "id" },
    };
    await outboxOf(path).adopt?.(adopted);
    const { rows } = await pool.query<{ made: string }>(
      "SELECT oid::regprocedure::text AS made FROM pg_proc WHERE proname LIKE 'millrace_adopt_%'",
    );
    for (const { made } of rows) await pool.query(`ALTER FUNCTION ${made} RESET ALL`);
  }

  async function idsOf(schema: string): Promise<readonly string[]> {
    const { rows } = await database.pool.query<{ id: string }>(
      `SELECT id FROM ${schema}.millrace_outbox ORDER BY seq`,
    );
    return rows.map(({ id }) => id);
  }

  // The second table is where the other outbox is.
  test.each(["shop.orders", "a.orders"])(
    "rows of %s go to the outbox that has adopted it, whichever is brought up to date",
    async (table) => {
      for (const schema of ["a", "b"]) await outboxOf(schema).migrate();
      await adoptedBefore("b", table);
      for (const schema of ["a", "b", "a"]) await outboxOf(schema).migrate();
      await database.pool.query(`INSERT INTO ${table} VALUES ('o1', '1')`);
      expect([await idsOf("a"), await idsOf("b")]).toEqual([[], ["o1"]]);
    },
  );

  test("a function in a schema of its own goes to the only outbox there is", async () => {
    await outboxOf("b").migrate();
    await adoptedBefore("app,b", "shop.orders");
    await outboxOf("b").migrate();
    await database.pool.query("INSERT INTO shop.orders VALUES ('o1', '1')");
    expect(await idsOf("b")).toEqual(["o1"]);
    expect(told()).toEqual([]);
  });

  test("of one that may be either's an operator is told, and it stays as it is", async () => {
    for (const schema of ["a", "b"]) await outboxOf(schema).migrate();
    await adoptedBefore("app,b", "shop.orders");
    for (const schema of ["a", "b"]) await outboxOf(schema).migrate();
    expect(told()).toHaveLength(2);
    for (const warning of told())
      expect(warning).toMatch(/shop\.orders.* adopt it again from the outbox/);
    const { pool } = database;
    await pool.query("SET search_path = app, b; INSERT INTO shop.orders VALUES ('o1', '1')");
    expect([await idsOf("a"), await idsOf("b")]).toEqual([[], ["o1"]]);
  });
});
