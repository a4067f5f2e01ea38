import { DatabaseSync } from "node:sqlite";
import { defineJob } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SQLITE_SCHEMA, sqliteTransaction, type Transaction } from "../outbox/index.ts";
import { connect } from "./connect.ts";

const welcome = defineJob<{ to: string }>({ name: "welcome", queue: "mail" });

let broker: MemoryBroker;
let database: DatabaseSync;
beforeEach(() => {
  broker = new MemoryBroker();
  database = new DatabaseSync(":memory:");
  database.exec(SQLITE_SCHEMA);
});
afterEach(async () => {
  database.close();
  await broker.close();
});

const rows = () => database.prepare("SELECT id, queue FROM millrace_outbox").all();

test("a client enqueues in transactions of a driver that answers at once", async () => {
  await using millrace = await connect({ broker, outbox: sqliteTransaction });
  database.exec("BEGIN");
  const job = millrace.outbox(database).enqueue(welcome, { to: "ada" }, { id: "a" });
  expect(job).toEqual({ id: "a", queue: "mail" });
  database.exec("COMMIT");
  expect(rows()).toEqual([{ id: "a", queue: "mail" }]);
  database.exec("BEGIN");
  millrace.outbox(database).enqueue(welcome, { to: "bob" });
  database.exec("ROLLBACK");
  expect(rows()).toHaveLength(1);
});

test("and of one that waits, with the client's limits or without", async () => {
  const ran: string[] = [];
  const adapter = (tx: { readonly name: string }): Transaction => ({
    run: async (sql) => {
      ran.push(`${tx.name}: ${/INTO (\w+)/.exec(sql)?.[1] ?? sql}`);
      return [];
    },
  });
  await using millrace = await connect({ broker, outbox: adapter });
  await millrace.outbox({ name: "tx1" }).enqueue(welcome, { to: "ada" });
  const brief = millrace.with({ timeout: "2s" }).with({});
  await brief.outbox({ name: "tx2" }).enqueue(welcome, { to: "ada" });
  expect(ran).toEqual(["tx1: millrace_outbox", "tx2: millrace_outbox"]);
  expect(millrace.status).toBe(broker.status);
  const shop = millrace.outbox.database((act) => act({ name: "tx3" }));
  expect(shop.once).toBeTypeOf("function");
});

test("a job that the client's server would refuse is refused in the transaction", async () => {
  const small = new MemoryBroker({ maxMessageBytes: 300 });
  await using millrace = await connect({ broker: small, outbox: sqliteTransaction });
  expect(() => millrace.outbox(database).enqueue(welcome, { to: "x".repeat(300) })).toThrow(
    expect.objectContaining({ code: "payload-too-large" }),
  );
});

test("what is no adapter is refused before anything is connected", async () => {
  await expect(connect({ outbox: "postgres" as never })).rejects.toMatchObject({
    code: "invalid-option",
  });
});
