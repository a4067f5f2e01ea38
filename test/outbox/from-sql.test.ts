// What SQL alone writes to an outbox in PostgreSQL: what is taken is published, and it is written
// wherever the writer's search path leads.
import { systemClock } from "@millrace/core";
import { MemoryBroker, MemoryServer } from "@millrace/testkit";
import { type AdoptedTable, adoptTableSql, postgresOutbox, startRelay } from "millrace/outbox";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { postgresMissing } from "../harness/postgres.ts";
import { type OutboxDatabase, outboxDatabase } from "./outbox-database.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const missing = postgresMissing();
const EVENTS = {
  ...{ table: "app.events", queue: { value: "mail" }, name: { value: "x" } },
  ...{ payload: "data", id: "id", deleteRows: true },
} as const satisfies AdoptedTable;

const list = (values: number): string => `(SELECT jsonb_agg(1) FROM generate_series(1, ${values}))`;
const nested = (levels: number): string =>
  `(repeat('[', ${levels}) || '1' || repeat(']', ${levels}))::jsonb`;

describe.skipIf(missing !== undefined)("what SQL writes to an outbox", () => {
  let database: OutboxDatabase;
  beforeAll(async () => {
    database = await outboxDatabase(["CREATE SCHEMA app"]);
    await database.pool.query("CREATE TABLE app.events (id text, data jsonb)");
    await database.pool.query(adoptTableSql(EVENTS));
  });
  afterEach(() => database.pool.query("TRUNCATE millrace_outbox, app.events"));
  afterAll(() => database?.close());

  const enqueue = (payload: string, more = ""): Promise<unknown> =>
    database.pool.query(`SELECT millrace_enqueue('mail', 'x', ${payload}${more})`);
  const ids = async (): Promise<readonly string[]> =>
    (
      await database.pool.query<{ id: string }>("SELECT id FROM millrace_outbox ORDER BY seq")
    ).rows.map(({ id }) => id);

  test.each([
    ["a number that is too wide", `'{"a": [{"n": 9007199254740992}]}'`, /whole one beyond 2\^53/],
    ["a negative one", `'-9007199254740992'`, /whole one beyond 2\^53/],
    ["a number beyond all", "'1e400'", /beyond all numbers/],
    ["one beyond all with a fraction", "to_jsonb(1e400 + 0.5)", /beyond all numbers/],
    ["a payload that is too deep", nested(63), /nests deeper than 63 levels/],
    ["one that is far too deep", nested(5_000), /nests deeper than 63 levels/],
    ["too many values", list(300_000), /more than 100000 values/],
    ["one value too many", list(99_990), /more than 100000 values/],
    ["too many keys", "(SELECT jsonb_object_agg(n, n) FROM generate_series(1, 50000) n)", /values/],
    ["a key that is not taken", `'{"a": {"__proto__": 1}}'`, /key "__proto__"/],
  ])("millrace_enqueue refuses %s", async (_, payload, why) => {
    await expect(enqueue(payload)).rejects.toThrow(why);
    await expect(
      database.pool.query(`INSERT INTO app.events SELECT 'a', ${payload}`),
    ).rejects.toThrow(why);
    expect(await ids()).toEqual([]);
  });

  test("millrace_enqueue refuses headers that are the runtime's own", async () => {
    for (const name of ["Nats-Rollup", "millrace-lane"])
      await expect(enqueue("'1'", `, headers => '{"${name}": "x"}'`)).rejects.toThrow(
        `the header '${name}' is not yours to set`,
      );
  });

  test("what is taken at the limits is published", async () => {
    const taken = {
      wide: `'{"n": [9007199254740991, -9007199254740991]}'`,
      long: `'{"n": "12345678901234567890", "f": 1234567890.12345678901234567890, "s": 1e-400}'`,
      deep: nested(62),
      many: list(99_988),
      keys: "(SELECT jsonb_object_agg(n, n) FROM generate_series(1, 49990) n)",
      brackets: `to_jsonb(repeat('[{,:', 50000))`,
      nothing: "NULL",
    };
    for (const [id, payload] of Object.entries(taken)) await enqueue(payload, `, id => '${id}'`);
    const broker = new MemoryBroker({ server: new MemoryServer(systemClock) });
    cleanUpLater(() => broker.close());
    await broker.queues.ensure("mail");
    const store = postgresOutbox({ url: database.postgres.url });
    const relay = await startRelay({ broker, store, pollMs: 50 });
    cleanUpLater(() => relay.stop());
    await eventually(async () => (await store.status()).every(({ waiting }) => waiting === 0), {
      ...{ withinMs: 60_000, describe: "nothing waits" },
    });
    expect(await store.listSetAside(9)).toEqual([]);
    const published = (await broker.listWaiting("mail")).map(({ envelope }) => envelope.id);
    expect(published).toEqual(Object.keys(taken));
  });

  /** Of a program that has a schema of its own, and none of Millrace's. */
  async function elsewhere(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: database.postgres.url });
    await client.connect();
    cleanUpLater(() => client.end());
    await client.query("SET search_path = app");
    return client;
  }

  async function writeFromElsewhere(): Promise<void> {
    const client = await elsewhere();
    await client.query("INSERT INTO events VALUES ('adopted', '1')");
    await client.query(
      "INSERT INTO public.millrace_outbox (id, queue, body) VALUES ('row', 'q', 'x')",
    );
    await client.query("SELECT public.millrace_enqueue('mail', 'x', '1', id => 'enqueued')");
    await client.query("SELECT public.millrace_publish('a.b', '1', id => 'published')");
    expect(await ids()).toEqual(["adopted", "row", "enqueued", "published"]);
    expect((await database.pool.query("SELECT 1 FROM app.events")).rowCount).toBe(0);
  }

  test("a writer need not have the outbox in its search path", writeFromElsewhere);

  test("nor where functions and triggers of an earlier version are brought up to date", async () => {
    const { pool } = database;
    const { rows } = await pool.query<{ made: string }>(
      "SELECT oid::regprocedure::text AS made FROM pg_proc WHERE proname LIKE 'millrace%'",
    );
    for (const { made } of rows) await pool.query(`ALTER FUNCTION ${made} RESET ALL`);
    const client = await elsewhere();
    await expect(client.query("INSERT INTO events VALUES ('a', '1')")).rejects.toThrow(/exist/);
    const store = postgresOutbox({ url: database.postgres.url });
    for (const _ of [1, 2]) await store.migrate();
    await store.close();
    await writeFromElsewhere();
  });

  test("a row without an id, which could not be removed, is refused", async () => {
    const insert = database.pool.query("INSERT INTO app.events VALUES (NULL, '1')");
    await expect(insert).rejects.toThrow(/a row without an id/);
    expect(await ids()).toEqual([]);
  });
});
