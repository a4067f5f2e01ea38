import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  createSyncOutbox,
  type OutboxStore,
  sqliteOutbox,
  sqliteTransaction,
} from "millrace/outbox";
import { expect, onTestFinished, test } from "vitest";
import { BOB, scene, send } from "./scene.ts";

const outbox = createSyncOutbox(sqliteTransaction);

/** An outbox with a row that waits, and one of another queue that was set aside. */
async function outboxWithTrouble(): Promise<{ store: OutboxStore; database: DatabaseSync }> {
  const dir = await mkdtemp(join(tmpdir(), "millrace-dashboard-"));
  const path = join(dir, "shop.db");
  const store = sqliteOutbox({ path });
  await store.migrate();
  const database = new DatabaseSync(path, { timeout: 20_000 });
  onTestFinished(async () => {
    database.close();
    await store.close();
    await rm(dir, { recursive: true });
  });
  outbox(database).enqueue(send, { n: 1 }, { id: "waits" });
  await store.mark("mail");
  await store.note("mail", "queue-full: token=s3cr3t-value");
  database.exec(`INSERT INTO millrace_outbox (id, queue, body, set_aside_at, reason, detail)
    VALUES ('bad', 'billing', x'00', 0, 'undecodable', 'password=hunter2hunter2')`);
  return { store, database };
}

test("rows that wait and rows that were set aside are told, with the reason and without secrets", async () => {
  const { store } = await outboxWithTrouble();
  const { get } = await scene({ outbox: store });
  expect(await get("session")).toMatchObject({ outbox: true });
  const view = await get("outbox");
  expect(view).toMatchObject({
    queues: [
      { queue: "billing", waiting: 0, setAside: 1 },
      { queue: "mail", waiting: 1, setAside: 0, trouble: expect.stringMatching(/^queue-full: /) },
    ],
    rows: [{ id: "bad", queue: "billing", reason: "undecodable" }],
  });
  expect(JSON.stringify(view)).not.toMatch(/s3cr3t-value|hunter2hunter2/);
});

test("rows are retried by queue or all, under the user's name in the audit", async () => {
  const { store } = await outboxWithTrouble();
  const { get, post } = await scene({ outbox: store });
  const retried = async (body: object): Promise<unknown> =>
    (await post("outbox/retry", body)).json();
  expect(await retried({ queue: "mail" })).toEqual({ count: 0, failed: [] });
  expect(await store.listSetAside(9)).toHaveLength(1);
  expect(await retried({})).toEqual({ count: 1, failed: [] });
  expect(await store.listSetAside(9)).toEqual([]);
  expect((await post("outbox/retry", { queue: 7 })).status).toBe(400);
  expect(await get("audit")).toMatchObject([
    { by: "ada@example.com", action: "outbox retry", outcome: "1 done" },
    { action: "outbox retry", which: "queue=mail" },
  ]);
});

test("a viewer looks and retries nothing; nobody logged in sees nothing", async () => {
  const { store } = await outboxWithTrouble();
  const { get, post } = await scene({ outbox: store, user: () => BOB });
  expect(await get("outbox")).toMatchObject({ rows: [{ id: "bad" }] });
  expect((await post("outbox/retry", {})).status).toBe(403);
  expect(await store.listSetAside(9)).toHaveLength(1);
  const closed = await scene({ outbox: store, user: () => undefined });
  await expect(closed.get("outbox")).rejects.toThrow(/401/);
});

test("a dashboard without an outbox says so, one whose database is away too", async () => {
  const bare = await scene();
  expect(await bare.get("session")).toMatchObject({ outbox: false });
  await expect(bare.get("outbox")).rejects.toThrow(/400.*no outbox/);
  expect((await bare.post("outbox/retry", {})).status).toBe(400);
  const away = sqliteOutbox({ path: join(tmpdir(), "there", "is", "no", "such", "directory.db") });
  const { get } = await scene({ outbox: away });
  await expect(get("outbox")).rejects.toThrow(/503.*outbox-failed/);
});
