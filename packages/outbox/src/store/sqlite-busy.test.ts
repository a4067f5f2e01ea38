import type { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { defineJob } from "@millrace/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import { sqliteShop } from "../relay/sqlite-shop.fixture.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import type { OutboxStore } from "./outbox-store.ts";

const mail = defineJob<null>({ name: "mail.send", queue: "mail" });
const limits = { rows: 10, bytes: 1_000_000 };

let close: () => Promise<void>;
let database: DatabaseSync;
let store: OutboxStore;

/** A writer of this process is in the middle of its transaction. */
beforeEach(async () => {
  ({ close, database, store } = await sqliteShop());
  await store.mark("mail");
  database.exec("BEGIN IMMEDIATE");
});
afterEach(() => close());

const enqueue = (id: string) =>
  createSyncOutbox(sqliteTransaction)(database).enqueue(mail, null, { id });

test("a look at a queue without rows waits for no writer", async () => {
  enqueue("not-committed");
  expect(await store.claim("mail", limits)).toBeUndefined();
});

test("a writer that waits within its transaction is not kept from going on", async () => {
  enqueue("a");
  database.exec("COMMIT");
  database.exec("BEGIN IMMEDIATE");
  enqueue("b");
  const claiming = store.claim("mail", limits);
  await setImmediate();
  database.exec("COMMIT");
  expect((await claiming)?.rows.map(({ id }) => id)).toEqual(["a", "b"]);
});

test("a store that is closed gives up what waits for a writer", async () => {
  enqueue("a");
  database.exec("COMMIT");
  database.exec("BEGIN IMMEDIATE");
  const claiming = store.claim("mail", limits);
  const given = expect(claiming).rejects.toMatchObject({ code: "outbox-failed" });
  await store.close();
  await given;
});
