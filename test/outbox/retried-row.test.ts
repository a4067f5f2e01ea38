// A row that is set aside while a relay stands still between its two looks at the table, and is
// tried again while that relay's claim is open, which still names it.
import { UNSETTLED } from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { mysqlOutbox, type OutboxStore, postgresOutbox, startRelay } from "millrace/outbox";
import { createConnection } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { mysqlMissing, startMysql } from "../harness/mysql.ts";
import { postgresMissing } from "../harness/postgres.ts";
import { outboxDatabase } from "./outbox-database.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

interface Database {
  readonly store: () => OutboxStore;
  readonly run: (sql: string) => Promise<unknown>;
  /** SQL of these as `millrace_outbox_claim` keeps them. */
  readonly list: (seqs: readonly number[]) => string;
  readonly now: string;
  readonly close: () => Promise<void>;
}

const postgres = async (): Promise<Database> => {
  const { pool, postgres: server, close } = await outboxDatabase();
  return {
    store: () => postgresOutbox({ url: server.url }),
    run: (sql) => pool.query(sql),
    list: (seqs) => `'{${seqs.join()}}'`,
    now: "clock_timestamp()",
    close,
  };
};

const mysql = (kind: "MariaDB" | "MySQL") => async (): Promise<Database> => {
  const server = await startMysql(kind);
  const client = await createConnection(server.url);
  const store = () => mysqlOutbox({ url: server.url });
  const making = store();
  await making.migrate();
  await making.close();
  return {
    store,
    run: (sql) => client.query(sql),
    list: (seqs) => `'[${seqs.join()}]'`,
    now: `${Date.now()}`,
    async close() {
      await client.end();
      await server.remove();
    },
  };
};

describe.each([
  ["PostgreSQL", postgresMissing(), postgres],
  ["MariaDB", mysqlMissing("MariaDB"), mysql("MariaDB")],
  ["MySQL", mysqlMissing("MySQL"), mysql("MySQL")],
])("%s", (_, missing, open) => {
  describe.skipIf(missing !== undefined)(missing ?? "a database", () => {
    let database: Database;
    beforeAll(async () => {
      database = await open();
    });
    afterAll(() => database?.close());

    test.each([undefined, "mail"])(
      "a row that is retried in an open claim is published, though the claim's mark is beyond it (%s)",
      async (ofQueue) => {
        const { run } = database;
        await run("DELETE FROM millrace_outbox");
        await run("DELETE FROM millrace_outbox_claim");
        const store = database.store();
        const broker = new MemoryBroker();
        cleanUpLater(async () => {
          await store.close();
          await broker.close();
        });
        await broker.queues.ensure("mail");
        const name = await store.mark("mail");
        for (const id of ["a", "b", "c"])
          await run(
            `INSERT INTO millrace_outbox (id, queue, body) VALUES ('${id}', 'mail', '{"name":"x","payload":1}')`,
          );
        // One relay has read which rows are the oldest, and stands still. Another does its work.
        const first = await store.claim("mail", { rows: 2, bytes: 1_000 });
        const [a, b] = first?.rows ?? [];
        if (first === undefined || a === undefined || b === undefined) throw new Error("no rows");
        const aside = { seq: a.seq, reason: "undecodable", detail: "why" };
        await store.setAside("mail", first, [aside]);
        await store.finish("mail", first, [aside]);
        // It goes on, publishes the only row of the three that it finds, and dies.
        const c = b.seq + 1;
        await run(
          `UPDATE millrace_outbox_claim SET claim = 'late', claimed_at = ${database.now},
            seqs = ${database.list([a.seq, b.seq, c])} WHERE queue = 'mail'`,
        );
        const claim = await store.claim("mail", { rows: 500, bytes: 1_000 });
        expect(claim?.rows.map(({ id }) => id)).toEqual(["c"]);
        const job = { ...UNSETTLED, id: "c", queue: "mail", name: "x", payload: null };
        await broker.marks.enqueue([{ ...job, headers: {}, createdAt: 1 }], {
          ...{ queue: "mail", name, value: `late:${c}`, after: 0 },
        });
        expect(await store.retry(ofQueue)).toBe(1);
        const relay = await startRelay({ broker, store: database.store(), pollMs: 50 });
        cleanUpLater(() => relay.stop());
        const waiting = async () => (await store.status()).find(({ queue }) => queue === "mail");
        await eventually(async () => (await waiting())?.waiting === 0, {
          ...{ withinMs: 60_000, describe: "no row waits" },
        });
        const queued = await broker.listWaiting("mail");
        expect(queued.map(({ envelope: { id } }) => id)).toEqual(["c", "a"]);
      },
    );
  });
});
