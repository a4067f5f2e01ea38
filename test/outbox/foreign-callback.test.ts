// What one row of an outbox meets (another queue that is full or gone, a job that is too large) is
// no trouble of the rows beside it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type BatchEnded, connect, defineJob, planJob } from "millrace";
import { createSyncOutbox, sqliteOutbox, sqliteTransaction, startRelay } from "millrace/outbox";
import { expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: 180_000 });

const page = defineJob<null>({ name: "page", queue: "pages" });
const bind = defineJob<BatchEnded<null>>({ name: "bind", queue: "books" });
const charge = defineJob<{ of: string }>({
  name: "charge",
  queue: "pages",
  unique: { key: () => "k" },
});
const outbox = createSyncOutbox(sqliteTransaction, { maxMessageBytes: 4_000_000 });

describeEachServer("rows of an outbox beside one that has trouble", (server) => {
  async function scene() {
    const dir = await mkdtemp(join(tmpdir(), "millrace-outbox-"));
    cleanUpLater(() => rm(dir, { recursive: true }));
    const path = join(dir, "shop.db");
    const status = sqliteOutbox({ path });
    await status.migrate();
    const database = new DatabaseSync(path, { timeout: 20_000 });
    cleanUpLater(async () => {
      database.close();
      await status.close();
    });
    const millrace = await connect({ servers: server.url, namespace: server.namespace(), env: {} });
    cleanUpLater(() => millrace.close());
    const { broker, queues } = millrace;
    /** Relays until it is so. */
    async function relay(describe: string, isSo: () => Promise<boolean>): Promise<void> {
      const store = sqliteOutbox({ path });
      await using _ = await startRelay({ broker, store, pollMs: 50 });
      await eventually(isSo, { withinMs: 60_000, describe });
    }
    return {
      ...{ millrace, broker, queues, tx: outbox(database), status, relay },
      isEmpty: async () => (await status.status()).every(({ waiting }) => waiting === 0),
      queued: async (queue: string) =>
        (await broker.listWaiting(queue)).map(({ envelope }) => envelope.id),
    };
  }

  /** Rows of pages: the last job of a batch, which its queue drops, and two others. */
  async function lastOfBatchAndOthers() {
    const here = await scene();
    const { millrace, broker, queues, tx, relay } = here;
    await queues.ensure("books", { maxJobs: 1 });
    tx.batch([planJob(page, null, { id: "p1" })], {
      id: "b",
      callback: { job: bind, input: null },
    });
    const isKnown = async (): Promise<boolean> => (await broker.batches.find("b")) !== undefined;
    await relay("the batch is known, and its job's queue is not there", isKnown);
    await queues.ensure("pages");
    await millrace.enqueue(page, null, { id: "p1" });
    for (const id of ["o2", "o3"]) tx.enqueue(page, null, { id });
    return here;
  }

  test("a batch's callback whose queue is full comes later, and the rows at once", async () => {
    const { millrace, broker, queues, relay, isEmpty, queued } = await lastOfBatchAndOthers();
    await millrace.enqueue(bind, { batch: { id: "" } } as never, { id: "first" });
    await relay("no row waits", isEmpty);
    expect(await queued("pages")).toEqual(["p1", "o2", "o3"]);
    await queues.ensure("books", { maxJobs: 10 });
    // Whoever moves what is due: a node does.
    const mover = await broker.moveDueJobs();
    cleanUpLater(() => mover.stop());
    await eventually(async () => (await queued("books")).includes("b:callback"), {
      withinMs: 60_000,
      describe: "the callback comes",
    });
  });

  test("a batch's callback whose queue is gone is a letter, and the rows are published", async () => {
    const { broker, queues, relay, isEmpty, queued, status } = await lastOfBatchAndOthers();
    await queues.remove("books");
    await relay("no row waits", isEmpty);
    expect(await queued("pages")).toEqual(["p1", "o2", "o3"]);
    expect(await status.listSetAside(10)).toEqual([]);
    expect(await broker.deadLetters.list()).toMatchObject([
      { id: "b:callback", queue: "books", reason: "chain-broken" },
    ]);
  });

  test("a job of the key of one that is too large is published", async () => {
    const { queues, tx, relay, isEmpty, queued, status } = await scene();
    await queues.ensure("pages");
    tx.enqueue(charge, { of: "x".repeat(1_500_000) }, { id: "large" });
    for (const id of ["small", "another"]) tx.enqueue(charge, { of: "x" }, { id });
    await relay("no row waits", isEmpty);
    expect(await queued("pages")).toEqual(["small"]);
    expect(await status.listSetAside(10)).toMatchObject([
      { id: "large", reason: "payload-too-large" },
    ]);
  });
});
