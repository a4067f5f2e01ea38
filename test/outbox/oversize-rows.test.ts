import { systemClock } from "@millrace/core";
import { MemoryBroker, MemoryServer } from "@millrace/testkit";
import { defineJob } from "millrace";
import { createOutbox, pgTransaction, postgresOutbox, startRelay } from "millrace/outbox";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { postgresMissing } from "../harness/postgres.ts";
import { type OutboxDatabase, outboxDatabase } from "./outbox-database.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

const missing = postgresMissing();
const read = defineJob<{ n: number }>({ name: "read", queue: "books" });

let database: OutboxDatabase | undefined;
beforeAll(async () => {
  if (missing === undefined) database = await outboxDatabase();
});
afterAll(() => database?.close());

test.skipIf(missing !== undefined)(
  "rows that are larger than a relay can read are set aside, and kill no relay",
  async () => {
    if (database === undefined) return;
    const { postgres, pool } = database;
    for (const [id, queue, kind] of [
      ["batch", "books", "batch"],
      ["job", "books", null],
      ["message", "orders.>", "message"],
    ])
      await pool.query(
        `INSERT INTO millrace_outbox (id, queue, kind, subject, body)
         VALUES ($1, $2, $3, 'orders.paid', convert_to(repeat('x', 70000000), 'UTF8'))`,
        [id, queue, kind],
      );
    await createOutbox(pgTransaction)(pool).enqueue(read, { n: 1 }, { id: "next" });
    const server = new MemoryServer(systemClock);
    const broker = new MemoryBroker({ server });
    await broker.queues.ensure("books");
    const store = postgresOutbox({ url: postgres.url });
    const relay = await startRelay({ broker, store, pollMs: 50 });
    cleanUpLater(() => relay.stop());
    const looker = postgresOutbox({ url: postgres.url });
    cleanUpLater(() => looker.close());
    await eventually(async () => (await looker.listSetAside(9)).length === 3, {
      ...{ withinMs: 60_000, describe: "the large ones are set aside" },
    });
    expect(
      (await looker.listSetAside(9)).map(({ id, reason, detail }) => [id, reason, detail]),
    ).toEqual(
      ["batch", "job", "message"].map((id) => [
        ...[id, "payload-too-large", expect.stringContaining("70000000")],
      ]),
    );
    await eventually(async () => (await broker.listWaiting("books")).length === 1, {
      ...{ withinMs: 60_000, describe: "the next one is published" },
    });
  },
);
