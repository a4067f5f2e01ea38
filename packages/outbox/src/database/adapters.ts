import { MillraceError } from "@millrace/core";
import type { Row, SyncTransaction, Transaction } from "./transaction.ts";

// Each says only what it needs of its package, which is therefore not imported.

/** A client of `pg` that has begun a transaction. */
export interface PgClient {
  query(
    sql: string,
    parameters: unknown[],
  ): Promise<{ readonly rows: readonly Row[]; readonly command?: string }>;
}

/**
 * The package `pg`.
 *
 * @example
 * const outbox = createOutbox(pgTransaction);
 * const client = await pool.connect();
 * await client.query("BEGIN");
 * await outbox(client).enqueue(welcome, { to: "ada@example.com" });
 * await client.query("COMMIT");
 */
export function pgTransaction(client: PgClient): Transaction {
  return { run: async (sql, parameters) => (await client.query(sql, [...parameters])).rows };
}

/** A `Pool` of `pg`. */
export interface PgPool<Client> {
  connect(): Promise<Client>;
  // As the package has it: TypeScript finds the client's type by both together.
  connect(callback: (...given: never[]) => void): void;
}

/**
 * Begins transactions on a pool of the package `pg`, which has no such function of its own. It
 * rejects with `outbox-failed` where the database rolled back at the commit, because a statement
 * had failed and the function went on.
 *
 * @param begin the statement, for another isolation level
 * @example
 * const shop = createOutbox(pgTransaction).database(beginOnPool(pool));
 */
export function beginOnPool<Client extends PgClient & { release(broken?: boolean): void }>(
  pool: PgPool<Client>,
  begin = "BEGIN",
): (act: (client: Client) => Promise<void>) => Promise<void> {
  return async (act) => {
    const client = await pool.connect();
    let broken = true;
    try {
      await client.query(begin, []);
      await act(client).catch(async (error: unknown) => {
        // Where this fails as well, the connection is gone and the transaction with it.
        broken = await client.query("ROLLBACK", []).then(
          () => false,
          () => true,
        );
        throw error;
      });
      const { command = "COMMIT" } = await client.query("COMMIT", []);
      broken = false;
      // PostgreSQL answers so, and without an error, where a statement of it had failed.
      if (command !== "COMMIT") throw rolledBack();
    } finally {
      client.release(broken);
    }
  };
}

function rolledBack(): MillraceError {
  return new MillraceError(
    "outbox-failed",
    "The database rolled the transaction back at its COMMIT, because one of its statements had failed and the function went on. Nothing of it is stored. Let the statement's error be thrown.",
  );
}

/** The `sql` that `begin` of the package `postgres` hands over. */
export interface PostgresJsSql {
  unsafe(sql: string, parameters: string[]): PromiseLike<readonly Row[]>;
}

/**
 * The package `postgres`.
 *
 * @example
 * const outbox = createOutbox(postgresJsTransaction);
 * await sql.begin(async (tx) => {
 *   await outbox(tx).enqueue(welcome, { to: "ada@example.com" });
 * });
 */
export function postgresJsTransaction(sql: PostgresJsSql): Transaction {
  return { run: async (text, parameters) => [...(await sql.unsafe(text, [...parameters]))] };
}

/** What `transaction` of Drizzle hands over, for PostgreSQL. */
export interface DrizzleTransaction<Query> {
  execute(query: Query): PromiseLike<unknown>;
}

/**
 * Drizzle, on PostgreSQL, with whichever driver.
 *
 * @param template the `sql` of `drizzle-orm`
 * @example
 * import { sql } from "drizzle-orm";
 *
 * const outbox = createOutbox(drizzleTransaction(sql));
 * await db.transaction(async (tx) => {
 *   await tx.insert(orders).values(order);
 *   await outbox(tx).enqueue(chargeOrder, { id: order.id });
 * });
 */
export function drizzleTransaction<Query>(
  template: (strings: TemplateStringsArray, ...parameters: unknown[]) => Query,
): (tx: DrizzleTransaction<Query>) => Transaction {
  return (tx) => ({
    async run(sql, parameters) {
      const texts = sql.split(/\$\d+/);
      const query = template(Object.assign(texts, { raw: texts }), ...parameters);
      return rowsOf(await tx.execute(query));
    },
  });
}

/** What `transaction().execute` of Kysely hands over, for PostgreSQL. */
export interface KyselyTransaction<Query> {
  executeQuery(query: Query): Promise<{ readonly rows: readonly unknown[] }>;
}

/**
 * Kysely, on PostgreSQL.
 *
 * @param compiled the `CompiledQuery` of `kysely`
 * @example
 * import { CompiledQuery } from "kysely";
 *
 * const outbox = createOutbox(kyselyTransaction(CompiledQuery));
 * await db.transaction().execute(async (tx) => {
 *   await outbox(tx).enqueue(welcome, { to: "ada@example.com" });
 * });
 */
export function kyselyTransaction<Query>(compiled: {
  raw(sql: string, parameters: unknown[]): Query;
}): (tx: KyselyTransaction<Query>) => Transaction {
  return (tx) => ({
    run: async (sql, parameters) =>
      (await tx.executeQuery(compiled.raw(sql, [...parameters]))).rows as readonly Row[],
  });
}

/** What `transaction` of Knex hands over, for PostgreSQL. */
export interface KnexTransaction {
  raw(sql: string, bindings: readonly string[]): PromiseLike<{ readonly rows: readonly Row[] }>;
}

/**
 * Knex, on PostgreSQL.
 *
 * @example
 * const outbox = createOutbox(knexTransaction);
 * await knex.transaction(async (tx) => {
 *   await outbox(tx).enqueue(welcome, { to: "ada@example.com" });
 * });
 */
export function knexTransaction(tx: KnexTransaction): Transaction {
  return {
    // Knex has placeholders without numbers.
    run: async (sql, parameters) => (await tx.raw(sql.replace(/\$\d+/g, "?"), parameters)).rows,
  };
}

/** A connection of `mysql2/promise` that has begun a transaction. */
export interface Mysql2Connection {
  execute(sql: string, values: string[]): Promise<readonly [unknown, ...unknown[]]>;
}

/**
 * The package `mysql2`, on MariaDB or MySQL: its connections with promises.
 *
 * @example
 * const outbox = createOutbox(mysqlTransaction);
 * await connection.beginTransaction();
 * await outbox(connection).enqueue(welcome, { to: "ada@example.com" });
 * await connection.commit();
 */
export function mysqlTransaction(connection: Mysql2Connection): Transaction {
  return {
    language: "mysql",
    run: async (sql, parameters) => rowsOf((await connection.execute(sql, [...parameters]))[0]),
  };
}

/** What `$transaction` of Prisma hands over, for PostgreSQL. */
export interface PrismaTransaction {
  $queryRawUnsafe(sql: string, ...parameters: string[]): PromiseLike<unknown>;
}

/**
 * Prisma, on PostgreSQL.
 *
 * @example
 * const outbox = createOutbox(prismaTransaction);
 * await prisma.$transaction(async (tx) => {
 *   await tx.order.create({ data: order });
 *   await outbox(tx).enqueue(chargeOrder, { id: order.id });
 * });
 */
export function prismaTransaction(tx: PrismaTransaction): Transaction {
  return {
    // Unsafe with SQL of users' making: this is the outbox's own, with its values as parameters.
    run: async (sql, parameters) => rowsOf(await tx.$queryRawUnsafe(sql, ...parameters)),
  };
}

/** What `transaction` of TypeORM hands over, for PostgreSQL. */
export interface TypeOrmManager {
  query(sql: string, parameters: unknown[]): Promise<unknown>;
}

/**
 * TypeORM, on PostgreSQL.
 *
 * @example
 * const outbox = createOutbox(typeOrmTransaction);
 * await dataSource.transaction(async (manager) => {
 *   await outbox(manager).enqueue(welcome, { to: "ada@example.com" });
 * });
 */
export function typeOrmTransaction(manager: TypeOrmManager): Transaction {
  return {
    run: async (sql, parameters) => rowsOf(await manager.query(sql, [...parameters])),
  };
}

/** A database of `node:sqlite` or of better-sqlite3. */
export interface SqliteDatabase {
  prepare(sql: string): { run(...parameters: string[]): unknown };
}

/**
 * SQLite by `node:sqlite` or better-sqlite3.
 *
 * @example
 * const outbox = createSyncOutbox(sqliteTransaction);
 * database.exec("BEGIN");
 * outbox(database).enqueue(welcome, { to: "ada@example.com" });
 * database.exec("COMMIT");
 */
export function sqliteTransaction(database: SqliteDatabase): SyncTransaction {
  return { runSync: (sql, parameters) => void database.prepare(sql).run(...parameters) };
}

/** Some hand back the rows, some an object that has them. */
function rowsOf(answer: unknown): readonly Row[] {
  if (Array.isArray(answer)) return answer as readonly Row[];
  const { rows } = answer as { readonly rows?: readonly Row[] };
  return rows ?? [];
}
