import { decode } from "@msgpack/msgpack";
import BetterSqlite from "better-sqlite3";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { drizzle as drizzleJs } from "drizzle-orm/postgres-js";
import { UNSETTLED } from "@millrace/core";
import createKnex from "knex";
import { CompiledQuery, Kysely, PostgresDialect } from "kysely";
import { defineJob, type TransactionalDatabase } from "millrace";
import {
  beginOnPool,
  createOutbox,
  createSyncOutbox,
  drizzleTransaction,
  knexTransaction,
  kyselyTransaction,
  type Outbox,
  pgTransaction,
  POSTGRES_SCHEMA,
  postgresJsTransaction,
  prismaTransaction,
  SQLITE_SCHEMA,
  sqliteTransaction,
  typeOrmTransaction,
} from "millrace/outbox";
import { DatabaseSync } from "node:sqlite";
import pg from "pg";
import postgres, { type TransactionSql } from "postgres";
import { DataSource } from "typeorm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prismaClient } from "./prisma-client.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../harness/postgres.ts";

const missing = postgresMissing();
const JOB = { ...UNSETTLED, name: "n", queue: "q", payload: null, createdAt: 1, headers: {} };
const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });
/** Whatever a library might take for something of its own. */
const ODD = { to: `ada's "mail" $1 ? :x \\ ü 🦉` };

class Undo extends Error {}

interface WrittenRow {
  readonly id: string;
  readonly lane: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const inputOf = (body: Uint8Array): unknown =>
  (decode(body) as { readonly payload: unknown }).payload;

/** The database refuses a row, whoever writes it does not care, and the transaction is lost. */
async function goOnAfterFailure(outbox: Outbox): Promise<void> {
  const refused = outbox.enqueue(mail, { to: "nobody" }, { id: "refused" });
  await expect(refused).rejects.toThrow();
}

/** One library: runs the function in a transaction, which rolls back where it throws. */
interface Library {
  inTransaction(act: (outbox: Outbox) => Promise<void>): Promise<void>;
  /** For `context.transaction`. */
  readonly shop: TransactionalDatabase<unknown, Outbox>;
  close(): Promise<void>;
}

const LIBRARIES: Readonly<Record<string, (url: string) => Promise<Library>>> = {
  pg: async (url) => {
    const pool = new pg.Pool({ connectionString: url });
    const outbox = createOutbox(pgTransaction);
    return {
      async inTransaction(act) {
        const client = await pool.connect();
        try {
          await client.query("BEGIN");
          await act(outbox(client));
          await client.query("COMMIT");
        } catch (error) {
          await client.query("ROLLBACK");
          throw error;
        } finally {
          client.release();
        }
      },
      shop: outbox.database(beginOnPool(pool)),
      close: () => pool.end(),
    };
  },
  postgres: async (url) => {
    const client = postgres(url);
    const outbox = createOutbox(postgresJsTransaction);
    return {
      inTransaction: async (act) => void (await client.begin((tx) => act(outbox(tx)))),
      shop: outbox.database<TransactionSql>((act) => client.begin(act)),
      close: () => client.end(),
    };
  },
  "drizzle on pg": async (url) => {
    const pool = new pg.Pool({ connectionString: url });
    const db = drizzle(pool);
    const outbox = createOutbox(drizzleTransaction(sql));
    return {
      inTransaction: (act) => db.transaction((tx) => act(outbox(tx))),
      shop: outbox.database((act) => db.transaction(act)),
      close: () => pool.end(),
    };
  },
  "drizzle on postgres": async (url) => {
    const client = postgres(url);
    const db = drizzleJs(client);
    const outbox = createOutbox(drizzleTransaction(sql));
    return {
      inTransaction: (act) => db.transaction((tx) => act(outbox(tx))),
      shop: outbox.database((act) => db.transaction(act)),
      close: () => client.end(),
    };
  },
  kysely: async (url) => {
    const dialect = new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) });
    const db = new Kysely<unknown>({ dialect });
    const outbox = createOutbox(kyselyTransaction(CompiledQuery));
    return {
      inTransaction: (act) => db.transaction().execute((tx) => act(outbox(tx))),
      shop: outbox.database((act) => db.transaction().execute(act)),
      close: () => db.destroy(),
    };
  },
  knex: async (url) => {
    const knex = createKnex({ client: "pg", connection: url });
    const outbox = createOutbox(knexTransaction);
    return {
      inTransaction: (act) => knex.transaction((tx) => act(outbox(tx))),
      shop: outbox.database((act) => knex.transaction(act)),
      close: () => knex.destroy(),
    };
  },
  prisma: async (url) => {
    const client = prismaClient(url);
    const outbox = createOutbox(prismaTransaction);
    return {
      inTransaction: (act) => client.$transaction((tx) => act(outbox(tx))),
      shop: outbox.database((act) => client.$transaction(act)),
      close: () => client.$disconnect(),
    };
  },
  typeorm: async (url) => {
    const source = await new DataSource({ type: "postgres", url }).initialize();
    const outbox = createOutbox(typeOrmTransaction);
    return {
      inTransaction: (act) => source.transaction((manager) => act(outbox(manager))),
      shop: outbox.database((act) => source.transaction(act)),
      close: () => source.destroy(),
    };
  },
};

describe.skipIf(missing !== undefined)(
  `adapters for PostgreSQL${missing === undefined ? "" : `: ${missing}`}`,
  () => {
    let server: TestPostgres;
    let observer: pg.Client;
    beforeAll(async () => {
      server = await startPostgres();
      observer = new pg.Client({ connectionString: server.url });
      await observer.connect();
      await observer.query(POSTGRES_SCHEMA);
      await observer.query("ALTER TABLE millrace_outbox ADD CHECK (id <> 'refused')");
    });
    afterAll(async () => {
      await observer?.end();
      await server?.remove();
    });

    const written = async (): Promise<readonly unknown[]> => {
      const { rows } = await observer.query<WrittenRow>(
        "SELECT id, lane, headers, body FROM millrace_outbox ORDER BY seq",
      );
      return rows.map(({ id, lane, headers, body }) => [id, lane, headers, inputOf(body)]);
    };

    test.each(Object.keys(LIBRARIES))("%s", async (name) => {
      const library = await LIBRARIES[name]?.(server.url);
      if (library === undefined) throw new Error("it is in the list");
      try {
        await observer.query("TRUNCATE millrace_outbox");
        await library.inTransaction(async (outbox) => {
          await outbox.enqueue(mail, ODD, {
            id: "a",
            priority: "high",
            headers: { "x-shop": `7 $2 ? ' ü` },
          });
          await outbox.enqueueMany(mail, [
            { id: "b", input: { to: "b" } },
            { id: "c", input: { to: "c" } },
          ]);
          expect(await written()).toEqual([]);
        });
        const jobs = [
          ["a", "high", { "x-shop": `7 $2 ? ' ü` }, ODD],
          ["b", null, {}, { to: "b" }],
          ["c", null, {}, { to: "c" }],
        ];
        expect(await written()).toEqual(jobs);
        await expect(
          library.inTransaction(async (outbox) => {
            await outbox.enqueue(mail, { to: "never" });
            throw new Undo();
          }),
        ).rejects.toBeInstanceOf(Undo);
        expect(await written()).toEqual(jobs);

        const { shop } = library;
        const run = { job: { ...JOB, id: name }, signal: new AbortController().signal };
        const failing = shop.once(run, async (_, outbox) => {
          await outbox.enqueue(mail, { to: "never" });
          throw new Undo();
        });
        await expect(failing).rejects.toBeInstanceOf(Undo);
        const done = { at: new Date(5), said: `"it's" ü` };
        const first = await shop.once(run, async (_, outbox) => {
          await outbox.enqueue(mail, { to: "once" }, { id: "d" });
          return done;
        });
        const second = await shop.once(run, () => Promise.reject(new Error("it ran twice")));
        expect([first, second]).toEqual([done, done]);
        expect(await written()).toEqual([...jobs, ["d", null, {}, { to: "once" }]]);
        const caught = shop.once({ ...run, job: { ...JOB, id: `${name} caught` } }, (_, outbox) =>
          goOnAfterFailure(outbox),
        );
        await expect(caught).rejects.toThrow();
      } finally {
        await library.close();
      }
    });

    test("a transaction that the database rolled back is not taken for committed", async () => {
      await observer.query("TRUNCATE millrace_outbox");
      const pool = new pg.Pool({ connectionString: server.url, max: 1 });
      const outbox = createOutbox(pgTransaction);
      const begin = beginOnPool(pool);
      try {
        await expect(begin((tx) => goOnAfterFailure(outbox(tx)))).rejects.toMatchObject({
          code: "outbox-failed",
        });
        expect(await written()).toEqual([]);
        await begin(async (tx) => void (await outbox(tx).enqueue(mail, ODD, { id: "a" })));
        expect(await written()).toHaveLength(1);
      } finally {
        await pool.end();
      }
    });
  },
);

test.each([
  ["node:sqlite", () => new DatabaseSync(":memory:")],
  ["better-sqlite3", () => new BetterSqlite(":memory:")],
] as const)("%s", (_, open) => {
  const database = open();
  const outbox = createSyncOutbox(sqliteTransaction);
  database.exec(SQLITE_SCHEMA);
  database.exec("BEGIN");
  outbox(database).enqueue(mail, ODD, { id: "a" });
  database.exec("COMMIT");
  database.exec("BEGIN");
  outbox(database).enqueueMany(mail, [{ input: { to: "b" } }, { input: { to: "c" } }]);
  database.exec("ROLLBACK");
  const rows = database
    .prepare("SELECT id, queue, body FROM millrace_outbox")
    .all() as readonly (WrittenRow & { readonly queue: string })[];
  expect(rows.map(({ id, queue, body }) => [id, queue, inputOf(body)])).toEqual([
    ["a", "mail", ODD],
  ]);
  database.close();
});
