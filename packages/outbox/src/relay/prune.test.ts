import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { defineJob } from "@millrace/core";
import { MemoryBroker } from "@millrace/core/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import { sqliteOutbox } from "../store/sqlite-store.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { type Relay, type RelayOptions, startRelay } from "./relay.ts";

const DAY_MS = 86_400_000;
const mail = defineJob<null>({ name: "mail", queue: "mail" });
const outbox = createSyncOutbox(sqliteTransaction);

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "millrace-outbox-"))));
afterEach(() => rmSync(dir, { recursive: true }));

/** A relay that finds rows at each look, and what it asked to be forgotten until the last look. */
async function busy(options: Partial<RelayOptions>, chunks: number, looks: number) {
  const path = join(dir, "shop.db");
  const store = sqliteOutbox({ path });
  await store.migrate();
  const database = new DatabaseSync(path, { timeout: 5_000 });
  const broker = new MemoryBroker();
  await broker.queues.ensure("mail");
  const pruned: number[] = [];
  const over = Promise.withResolvers<void>();
  let left = looks;
  const relay: Relay = await startRelay({
    broker,
    store: {
      ...store,
      queues() {
        left -= 1;
        if (left === 0) over.resolve();
        if (left > 0) outbox(database).enqueue(mail, null);
        return store.queues();
      },
      prune: async (olderThanMs) => {
        if (left > 0) pruned.push(olderThanMs);
        return pruned.length < chunks;
      },
    },
    ...options,
  });
  await over.promise;
  await relay.stop();
  database.close();
  await broker.close();
  return pruned;
}

test("a relay that is never idle forgets old records all the same, some at a time", async () => {
  expect(await busy({}, 3, 20)).toEqual([30 * DAY_MS, 30 * DAY_MS, 30 * DAY_MS]);
});

test("how long records are kept can be said", async () => {
  expect(await busy({ keepDoneMs: 2 * DAY_MS }, 1, 20)).toEqual([2 * DAY_MS]);
  const store = sqliteOutbox({ path: join(dir, "shop.db") });
  const broker = new MemoryBroker();
  await expect(startRelay({ broker, store, keepDoneMs: 1_000 })).rejects.toMatchObject({
    code: "invalid-option",
  });
  await broker.close();
});
