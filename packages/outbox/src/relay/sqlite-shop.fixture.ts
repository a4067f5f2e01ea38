import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { OutboxStore } from "../store/outbox-store.ts";
import { sqliteOutbox } from "../store/sqlite-store.ts";

/** A database in a file of its own, its outbox, and what removes both. */
export interface SqliteShop {
  /** For files of the test's own. */
  readonly dir: string;
  readonly database: DatabaseSync;
  readonly store: OutboxStore;
  readonly close: () => Promise<void>;
}

export async function sqliteShop(): Promise<SqliteShop> {
  const dir = mkdtempSync(join(tmpdir(), "millrace-outbox-"));
  const path = join(dir, "shop.db");
  const store = sqliteOutbox({ path });
  await store.migrate();
  const database = new DatabaseSync(path);
  return {
    dir,
    database,
    store,
    async close() {
      database.close();
      await store.close();
      rmSync(dir, { recursive: true });
    },
  };
}
