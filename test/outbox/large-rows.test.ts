import type { BatchEnded } from "@millrace/core";
import { connect, defineJob, planJob } from "millrace";
import { createSyncOutbox, sqliteOutbox, sqliteTransaction, startRelay } from "millrace/outbox";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it, vi } from "vitest";
import { administrator } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

vi.setConfig({ testTimeout: patient(120_000) });

const page = defineJob<{ n: number }>({ name: "page", queue: "pages" });
const bind = defineJob<BatchEnded<{ book: string }>>({ name: "bind", queue: "books" });
const read = defineJob<{ n: number | string }>({ name: "read", queue: "books" });
const once = defineJob<{ n: number | string }>({
  ...{ name: "once", queue: "books", unique: { key: () => "k" } },
});

describeEachServer("an outbox whose server takes less than its writers were told", (server) => {
  async function opened() {
    const dir = mkdtempSync(join(tmpdir(), "millrace-large-rows-"));
    cleanUpLater(() => rmSync(dir, { recursive: true }));
    const path = join(dir, "shop.db");
    const store = sqliteOutbox({ path });
    await store.migrate();
    const database = new DatabaseSync(path);
    cleanUpLater(() => database.close());
    const millrace = await connect({ servers: server.url, namespace: server.namespace(), env: {} });
    cleanUpLater(() => millrace.close());
    for (const queue of ["pages", "books"]) await millrace.queues.ensure(queue);
    // As where the writers were told of a larger `max_payload` than the relay's server has.
    const outbox = createSyncOutbox(sqliteTransaction, { maxMessageBytes: 4_000_000 });
    const relay = await startRelay({ broker: millrace.broker, store, pollMs: 50 });
    cleanUpLater(() => relay.stop());
    const queued = async (): Promise<readonly string[]> =>
      (await millrace.broker.listWaiting("books")).map(({ envelope }) => envelope.id);
    /** As one claim of the relay. */
    function together(write: () => void): void {
      database.exec("BEGIN IMMEDIATE");
      write();
      database.exec("COMMIT");
    }
    async function limitStream(): Promise<void> {
      const { jsm } = await administrator(server);
      const streams = await jsm.streams.list().next();
      const books = streams.filter(({ config }) =>
        config.subjects?.some((s) => s.includes(".jobs.books")),
      );
      for (const { config } of books)
        await jsm.streams.update(config.name, { ...config, max_msg_size: 100_000 });
    }
    return { outbox: outbox(database), store, queued, together, limitStream };
  }

  it("a job that is too large is set aside, and the next one goes", async () => {
    const { outbox, store, queued } = await opened();
    outbox.enqueue(read, { n: "x".repeat(2_000_000) }, { id: "large" });
    outbox.enqueue(read, { n: 1 }, { id: "r1" });
    await eventually(async () => (await queued()).includes("r1"), {
      ...{ withinMs: 15_000, describe: "the next one is published" },
    });
    expect((await store.listSetAside(10)).map(({ id }) => id)).toEqual(["large"]);
  });

  it("a batch whose callback is too large is set aside, and the next job goes", async () => {
    const { outbox, store, queued } = await opened();
    outbox.batch([planJob(page, { n: 1 }, { id: "p1" })], {
      ...{ id: "b", callback: { job: bind, input: { book: "x".repeat(2_000_000) } } },
    });
    outbox.enqueue(read, { n: 1 }, { id: "r1" });
    await eventually(async () => (await queued()).includes("r1"), {
      ...{ withinMs: 15_000, describe: "the next one is published" },
    });
    expect((await store.listSetAside(10)).map(({ id }) => id)).toEqual(["b"]);
  });

  it("the next job of the unique key of one that is too large for its stream runs", async () => {
    const { outbox, store, queued, together, limitStream } = await opened();
    await limitStream();
    together(() => {
      outbox.enqueue(once, { n: "x".repeat(200_000) }, { id: "large" });
      for (const id of ["small", "another"]) outbox.enqueue(once, { n: 1 }, { id });
    });
    await eventually(async () => (await store.status()).every(({ waiting }) => waiting === 0), {
      ...{ withinMs: 30_000, describe: "no row waits" },
    });
    expect(await queued()).toEqual(["small"]);
    expect(await store.listSetAside(10)).toMatchObject([{ id: "large" }]);
  });

  it("a job that is too large for its stream is set aside, and the next one goes", async () => {
    const { outbox, store, queued, limitStream } = await opened();
    await limitStream();
    outbox.enqueue(read, { n: "x".repeat(200_000) }, { id: "large" });
    outbox.enqueue(read, { n: 1 }, { id: "r1" });
    await eventually(async () => (await queued()).includes("r1"), {
      ...{ withinMs: 15_000, describe: "the next one is published" },
    });
    expect((await store.listSetAside(10)).map(({ id }) => id)).toEqual(["large"]);
  });
});
