import type { DatabaseSync } from "node:sqlite";
import type { JobRef } from "@millrace/core";
import { expectTypeOf } from "vitest";
import { connect, defineJob, type Millrace } from "../index.ts";
import {
  beginOnPool,
  type PgClient,
  type PgPool,
  pgTransaction,
  sqliteTransaction,
  type Transaction,
} from "../outbox/index.ts";

const welcome = defineJob<{ to: string }>({ name: "welcome", queue: "mail" });

interface Client extends PgClient {
  release(broken?: boolean): void;
}
declare const pool: PgPool<Client>;
declare const database: DatabaseSync;

/** A client has the outbox of the adapter that it was connected with, and only then. */
export async function check(): Promise<void> {
  const tx = await pool.connect();
  const millrace = await connect({ outbox: pgTransaction });
  expectTypeOf(await millrace.outbox(tx).enqueue(welcome, { to: "ada" })).toEqualTypeOf<JobRef>();
  expectTypeOf(millrace.with({ timeout: "2s" }).outbox).toEqualTypeOf(millrace.outbox);
  // @ts-expect-error -- a field has the wrong type
  await millrace.outbox(tx).enqueue(welcome, { to: 1 });
  // @ts-expect-error -- a transaction of another library
  millrace.outbox(database);
  const shop = millrace.outbox.database(beginOnPool(pool));
  welcome.handler(({ transaction }) =>
    transaction(shop, async (own, outbox) => {
      expectTypeOf(own).toEqualTypeOf<Client>();
      await outbox.enqueue(welcome, { to: "ada" });
    }),
  );

  const sync = await connect({ outbox: sqliteTransaction });
  expectTypeOf(sync.outbox(database).enqueue(welcome, { to: "ada" })).toEqualTypeOf<JobRef>();

  const adapter = (own: { readonly exec: Transaction["run"] }): Transaction => ({ run: own.exec });
  const mine = await connect({ outbox: adapter });
  expectTypeOf(mine.outbox).parameter(0).toEqualTypeOf<{ readonly exec: Transaction["run"] }>();

  const without = await connect({ servers: "nats://localhost:4222" });
  expectTypeOf(without).toEqualTypeOf<Millrace>();
  // @ts-expect-error -- it was connected without one
  void without.outbox;
  // @ts-expect-error -- no adapter
  await connect({ outbox: "postgres" });
}
