import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { defineJob } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sqliteTransaction } from "../database/adapters.ts";
import type { DoneRecord } from "../store/outbox-store.ts";
import { sqliteOutbox } from "../store/sqlite-store.ts";
import { createSyncOutbox } from "../writer/sync-outbox.ts";
import { type Relay, startRelay } from "./relay.ts";

const mail = defineJob<null>({ name: "mail", queue: "mail" });
const outbox = createSyncOutbox(sqliteTransaction);

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), "millrace-outbox-"))));
afterEach(() => rmSync(dir, { recursive: true }));

/** A relay that finds rows at each look, and after which records it asked until the last look. */
async function busy(pages: number, looks: number) {
  const path = join(dir, "shop.db");
  const store = sqliteOutbox({ path });
  await store.migrate();
  const database = new DatabaseSync(path, { timeout: 5_000 });
  const broker = new MemoryBroker();
  await broker.queues.ensure("mail");
  const asked: (string | undefined)[] = [];
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
      async done({ after, limit }) {
        // Whether the table is there, as every relay asks first.
        if (limit === 0) return [];
        if (left > 0) asked.push(after?.place);
        return asked.length < pages ? recordsOf(asked.length, limit) : [];
      },
    },
  });
  await over.promise;
  await relay.stop();
  database.close();
  await broker.close();
  return asked;
}

/** Of jobs that nobody knows, and that are not old enough to be forgotten. */
function recordsOf(page: number, limit: number): readonly DoneRecord[] {
  return Array.from({ length: limit }, (_, n) => {
    const place = `${page}-${n}`;
    return { queue: "mail", id: place, enqueuedAt: 1, ageMs: 3_600_001, place };
  });
}

test("a relay that is never idle looks through old records all the same, some at a time", async () => {
  expect(await busy(3, 20)).toEqual([undefined, "1-49", "2-49"]);
});

test("how long records are kept is an hour or more", async () => {
  const store = sqliteOutbox({ path: join(dir, "shop.db") });
  const broker = new MemoryBroker();
  await expect(startRelay({ broker, store, keepDoneMs: 1_000 })).rejects.toMatchObject({
    code: "invalid-option",
  });
  await broker.close();
});
