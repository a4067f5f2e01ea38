// Rows that a database does not let a relay set aside, or open, as it would others: they hold up no
// other row.
import { encodeMsgpack, systemClock } from "@millrace/core";
import { MemoryBroker, MemoryServer } from "@millrace/testkit";
import { type BatchEnded, defineJob, planJob } from "millrace";
import {
  createOutbox,
  mysqlOutbox,
  mysqlTransaction,
  type OutboxStore,
  pgTransaction,
  POSTGRES_SCHEMA,
  postgresOutbox,
  startRelay,
} from "millrace/outbox";
import { createConnection } from "mysql2/promise";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { mysqlMissing, startMysql } from "../harness/mysql.ts";
import { postgresMissing } from "../harness/postgres.ts";
import { type OutboxDatabase, outboxDatabase } from "./outbox-database.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

const mail = defineJob<number>({ name: "mail.send", queue: "mail" });
const other = defineJob<number>({ name: "other.send", queue: "other" });
const bind = defineJob<BatchEnded<null>>({ name: "bind", queue: "mail" });

const missing = postgresMissing();
let database: OutboxDatabase | undefined;
beforeAll(async () => {
  if (missing === undefined) database = await outboxDatabase();
});
afterAll(() => database?.close());

async function relayOf(open: () => OutboxStore) {
  const broker = new MemoryBroker({ server: new MemoryServer(systemClock) });
  cleanUpLater(() => broker.close());
  for (const queue of ["mail", "other"]) await broker.queues.ensure(queue);
  const store = open();
  cleanUpLater(() => store.close());
  return {
    store,
    async start() {
      const relay = await startRelay({ broker, store: open(), pollMs: 50 });
      cleanUpLater(() => relay.stop());
    },
    published: (queue: string, ids: readonly string[]) =>
      eventually(
        async () => {
          const waiting = await broker.listWaiting(queue, { limit: 5_000 });
          return ids.every((id) => waiting.some(({ envelope }) => envelope.id === id));
        },
        { withinMs: 30_000, describe: `${queue} has ${ids.slice(0, 3).join(", ")}` },
      ),
  };
}

/** A job whose payload has this key, over a number that is wider than a node's. */
function wide(id: string, key: string): Uint8Array {
  const bytes = encodeMsgpack({ v: 1, id, name: "x", payload: { [key]: 0x1267 } });
  const at = Buffer.from(bytes).indexOf(Buffer.from([0xcd, 0x12, 0x67]));
  const widest = [0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(widest), bytes.subarray(at + 3)]);
}

/** A database of its own in the server of the test. */
async function ofEncoding(name: string, encoding: string): Promise<{ url: string; pool: pg.Pool }> {
  if (database === undefined) throw new Error("there is no database");
  await database.pool.query(
    `CREATE DATABASE ${name} ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
  );
  const url = Object.assign(new URL(database.postgres.url), { pathname: `/${name}` }).href;
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  await pool.query(POSTGRES_SCHEMA);
  cleanUpLater(() => pool.end());
  return { url, pool };
}

const PUT = "INSERT INTO millrace_outbox (id, queue, body) VALUES ($1, 'mail', $2)";

test.skipIf(missing !== undefined).each([
  ["UTF8", "a\0b"],
  ["LATIN1", "日本"],
])("in %s a row of which is told what is no text there is set aside", async (encoding, key) => {
  const { url, pool } = await ofEncoding(`wide_${encoding.toLowerCase()}`, encoding);
  const { store, start, published } = await relayOf(() => postgresOutbox({ url }));
  await pool.query(PUT, ["p1", wide("p1", key)]);
  await createOutbox(pgTransaction)(pool).enqueue(mail, 1, { id: "next" });
  await start();
  await published("mail", ["next"]);
  expect(await store.listSetAside(9)).toMatchObject([{ id: "p1", reason: "undecodable" }]);
});

test.skipIf(missing !== undefined)(
  "a batch whose jobs a database can't store is set aside, and holds up nothing",
  async () => {
    const { url, pool } = await ofEncoding("batches", "LATIN1");
    const { store, start, published } = await relayOf(() => postgresOutbox({ url }));
    const outbox = createOutbox(pgTransaction)(pool);
    const { callback } = await outbox.batch([planJob(other, 1, { headers: { who: "日本" } })], {
      callback: { job: bind, input: null },
    });
    await outbox.enqueue(mail, 1, { id: "next" });
    await outbox.enqueue(other, 1, { id: "beside" });
    await start();
    await published("mail", ["next"]);
    await published("other", ["beside"]);
    expect(await store.listSetAside(9)).toMatchObject([
      {
        id: callback.id.replace(":callback", ""),
        reason: "outbox-failed",
        detail: expect.stringContaining("LATIN1"),
      },
    ]);
  },
);

test.skipIf(mysqlMissing("MariaDB") !== undefined)(
  "in MariaDB what a statement was large enough to write, a relay can open and set aside",
  async () => {
    const server = await startMysql("MariaDB");
    cleanUpLater(() => server.remove());
    const { store, start, published } = await relayOf(() => mysqlOutbox({ url: server.url }));
    await store.migrate();
    const admin = await createConnection(server.url);
    await admin.query("SET GLOBAL max_allowed_packet = 1048576");
    await admin.end();
    const client = await createConnection(server.url);
    cleanUpLater(() => client.end());
    const outbox = createOutbox(mysqlTransaction)(client);
    // As base64 within one packet; as JSON in a statement, with its quotes escaped, beyond it.
    const headers = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`x-h${n}`, "v"]));
    const jobs = Array.from({ length: 2_600 }, (_, n) =>
      planJob(other, n, { id: `o${n}`, headers }),
    );
    await outbox.batch(jobs, { id: "b", callback: { job: bind, input: null } });
    await client.query(
      "INSERT INTO millrace_outbox (id, queue, kind, subject, headers, body) VALUES ('m', 'orders.>', 'message', 'orders.paid', ?, 'x')",
      [JSON.stringify({ [`Nats-${"é".repeat(70_000)}`]: "x" })],
    );
    await outbox.enqueue(mail, 1, { id: "next" });
    await start();
    await published("mail", ["next"]);
    await published(
      "other",
      jobs.map((_, n) => `o${n}`),
    );
    await eventually(async () => (await store.listSetAside(9)).length > 0, {
      ...{ withinMs: 30_000, describe: "the message is set aside" },
    });
    expect(await store.listSetAside(9)).toMatchObject([{ id: "m", reason: "invalid-header" }]);
  },
);
