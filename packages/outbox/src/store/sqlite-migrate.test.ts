import type { DatabaseSync } from "node:sqlite";
import { type BatchEnded, defineJob, planJob } from "@millrace/core";
import { expect, test } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import { sqliteShop } from "../relay/sqlite-shop.fixture.ts";
import { SQLITE_SCHEMA } from "../schema/sqlite.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";

const mail = defineJob<{ to: string }>({ name: "mail.send", queue: "mail" });
const report = defineJob<BatchEnded<null>>({ name: "report", queue: "reports" });
const outbox = createSyncOutbox(sqliteTransaction);

test("tables of an earlier version get what is new, and lose nothing", async () => {
  const { database, store, close } = await sqliteShop();
  try {
    database.exec("DROP TABLE millrace_outbox");
    database.exec(SQLITE_SCHEMA.replace(/^ {2}kind TEXT,$/m, ""));
    outbox(database).enqueue(mail, { to: "ada" }, { id: "early" });
    expect(() => batch(database)).toThrow(/kind/);
    await store.mark("mail");
    const claiming = store.claim("mail", { rows: 10, bytes: 1_000 });
    const failure: unknown = await claiming.catch((error: unknown) => error);
    expect(String(failure)).toContain("millrace outbox migrate");
    for (const _ of [1, 2]) await store.migrate();
    batch(database);
    expect(await store.queues()).toEqual(["mail", "reports"]);
  } finally {
    await close();
  }
});

function batch(database: DatabaseSync): void {
  outbox(database).batch([planJob(mail, { to: "bob" })], {
    callback: { job: report, input: null },
  });
}
